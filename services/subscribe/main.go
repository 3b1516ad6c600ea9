// Command subscribe delivers events from JetStream to WebSocket clients and
// webhooks, and serves the dashboard.
package main

import (
	"os"

	"github.com/asyncmsglib/msgq/services/internal/service"
	"github.com/asyncmsglib/msgq/services/subscribe/server"
)

func main() {
	const description = "Delivers events from JetStream to WebSocket clients and webhooks, and serves the dashboard."
	os.Exit(service.Main("subscribe", description, server.Run))
}
