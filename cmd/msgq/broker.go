package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

type brokerCommand struct {
	Data      string     `type:"path" default:".msgq" help:"Folder that keeps the data."`
	Host      string     `default:"127.0.0.1" help:"Address to listen on."`
	Port      int        `default:"4222" help:"Port to listen on; 0 takes a free one."`
	LogLevel  slog.Level `env:"MSGQ_LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat string     `env:"MSGQ_LOG_FORMAT" enum:",text,json" default:"" help:"text or json. Default: text on a terminal, else json."`
}

// Help is shown below the flags.
func (brokerCommand) Help() string {
	return `A NATS server with JetStream that syncs every message to disk. It asks nobody who
they are: who reaches its address may read, change and delete everything.

Examples:
  msgq broker
  msgq broker --data /var/lib/msgq --port 4333`
}

// Run runs the broker until the context ends.
func (c *brokerCommand) Run(ctx context.Context, io streams) error {
	b, err := broker.Start(broker.Config{Dir: c.Data, Host: c.Host, Port: brokerPort(c.Port), Logger: c.logger(io)})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(io.err, "broker ready on %s, data in %s\n", b.URL(), b.Dir())
	if !isLoopback(c.Host) {
		_, _ = fmt.Fprintf(io.err, "WARNING: %s is no loopback address, and this broker asks nobody who they are: "+
			"whoever reaches it may read, change and delete everything\n", c.Host)
	}
	<-ctx.Done()
	b.Shutdown()
	_, _ = fmt.Fprintln(io.err, "broker stopped")
	return nil
}

func (c *brokerCommand) logger(io streams) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "" && isTerminal(io.err) {
		return slog.New(slog.NewTextHandler(io.err, opts))
	}
	return slog.New(slog.NewJSONHandler(io.err, opts))
}

// brokerPort gives 0 the meaning that it has elsewhere; for a NATS server it is the default.
func brokerPort(port int) int {
	if port == 0 {
		return -1
	}
	return port
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
