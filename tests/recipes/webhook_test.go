package recipes_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestWebhookReceiver(t *testing.T) {
	t.Parallel()
	needShell(t)
	need(t, "MSGQ_REQUIRE_PYTHON", "Python", python, "--version")
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--push-private"}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	const heading = "A webhook receiver"
	script := strings.ReplaceAll(s.Recipe(t, heading, "python"), "9000", port)
	// Its log goes to stderr, where failures are looked for.
	receiver := run(t, python, strings.Replace(script, "    def do_POST", "    def log_message(self, *args): pass\n    def do_POST", 1))
	msgqtest.Eventually(t, "it listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	answer := run(t, "bash", "curl() { command curl -sS \"$@\"; }\n"+strings.ReplaceAll(s.Recipe(t, heading, "sh"), "9000", port)+"echo\n")
	if line := msgqtest.Receive(t, answer.lines, "the queue"); !strings.Contains(line, `"concurrency":4`) {
		t.Errorf("created %s", line)
	}
	for i := range 3 {
		s.Publish(t, "jobs.print", fmt.Sprintf(`{"n":%d}`, i))
		receiver.expect(t, fmt.Sprintf(`1 jobs.print {"n":%d}`, i))
	}
	waitJSON(t, s, "/v1/queues/hooks", `"ready":0`, `"in_flight":0`, `"acknowledged":3`)
}
