package msgqtest

import (
	"go.uber.org/goleak"
)

// VerifyTestMain runs a package's tests and fails when goroutines are left.
// The server is known to leave one for a few seconds: it waits for the answer
// to a source's setup that was under way when the server was shut down.
func VerifyTestMain(m goleak.TestingM) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"))
}
