package main

import (
	"context"
	"fmt"

	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

type brokerCommand struct {
	Data string `type:"path" default:".msgq" help:"Folder that keeps the data." placeholder:"DIR"`
	Host string `default:"127.0.0.1" help:"Address to listen on."`
	Port int    `default:"4222" help:"Port to listen on; -1 takes a free one."`
}

// Help is shown below the flags.
func (brokerCommand) Help() string {
	return `A NATS server with JetStream that syncs every message to disk.

Examples:
  msgq broker
  msgq broker --data /var/lib/msgq --port 4333`
}

// Run runs the broker until the context ends.
func (c *brokerCommand) Run(ctx context.Context, io streams) error {
	b, err := broker.Start(broker.Config{Dir: c.Data, Host: c.Host, Port: c.Port})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(io.err, "broker ready on %s, data in %s\n", b.URL(), b.Dir())
	<-ctx.Done()
	b.Shutdown()
	return nil
}
