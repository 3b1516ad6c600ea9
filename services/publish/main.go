// Command publish takes events over HTTP and stores them in JetStream.
package main

import (
	"os"

	"github.com/asyncmsglib/msgq/services/internal/service"
	"github.com/asyncmsglib/msgq/services/publish/server"
)

func main() {
	os.Exit(service.Main("publish", "Takes events over HTTP and stores them in JetStream.", server.Run))
}
