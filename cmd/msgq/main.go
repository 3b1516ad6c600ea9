// Command msgq publishes and receives events, and runs a broker or the whole
// gateway on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Exit codes.
const (
	exitFailed      = 1
	exitWrongUse    = 2
	exitInterrupted = 130 // as a shell has it
)

type commands struct {
	Up       upCommand        `cmd:"" help:"Run the whole gateway in this process: broker, publish and subscribe service."`
	Broker   brokerCommand    `cmd:"" help:"Run the embedded broker alone."`
	Pub      pubCommand       `cmd:"" help:"Publish one event, or a file of them."`
	Sub      subCommand       `cmd:"" help:"Receive events, one JSON object a line."`
	Queues   queuesCommand    `cmd:"" help:"List queues with their counts."`
	Dead     deadCommand      `cmd:"" help:"List, redrive or discard a queue's dead letters."`
	Restored restoredCommand  `cmd:"" help:"Say that the stream was restored from a backup."`
	Token    tokenCommand     `cmd:"" help:"Make a token for services that want one."`
	Bench    benchCommand     `cmd:"" help:"Measure a running gateway: rates and latencies."`
	Version  kong.VersionFlag `help:"Print the version."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, io streams) int {
	var c commands
	parser, err := kong.New(&c, kong.Name("msgq"),
		kong.Description("The event gateway: HTTP in, JetStream in the middle, WebSocket out. Nothing acknowledged is ever lost."),
		kong.Vars{"version": "msgq " + msgq.Version}, kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Writers(io.out, io.err))
	if err != nil {
		return fail(io, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(io.err, "msgq: %v\nmsgq --help shows how it is used.\n", err)
		return exitWrongUse
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(io)
	var wrong *useError
	switch {
	case errors.As(err, &wrong):
		_, _ = fmt.Fprintf(io.err, "msgq: %v\n%s --help shows how it is used.\n", err, parsed.Selected().FullPath())
		return exitWrongUse
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_ = fail(io, err)
		return exitInterrupted
	case err != nil:
		return fail(io, err)
	}
	return 0
}

func fail(io streams, err error) int {
	_, _ = fmt.Fprintf(io.err, "msgq: %v\n", err)
	return exitFailed
}

// useError is a command line that makes no sense.
type useError struct{ text string }

func (e *useError) Error() string { return e.text }
