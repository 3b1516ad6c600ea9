// Package service is the life of a service: settings, log, signals, a listening
// server, and a stop that finishes what was accepted.
package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/settings"
)

// Config is what a service is started with.
type Config interface {
	settings.Checker
	// Logging is how it logs.
	Logging() settings.Log
	// Address is where it listens.
	Address() string
}

type commandLine[C any] struct {
	Config      C                `embed:""`
	Version     kong.VersionFlag `help:"Print the version."`
	Serve       struct{}         `cmd:"" default:"1" help:"Run the service. The default."`
	Healthcheck struct{}         `cmd:"" help:"Exit 0 if the service on this address is ready."`
}

// Main runs a service from the command line and returns the exit code: 0 after
// a stop by signal, 1 on a failure, 2 on wrong settings.
func Main[C Config](name, description string, run func(context.Context, C, *slog.Logger) error) int {
	var cli commandLine[C]
	cmd, err := settings.Parse(&cli, os.Args[1:], func() []error { return cli.Config.Check() },
		kong.Name(name), kong.Description(description), kong.Vars{"version": name + " " + msgq.Version})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if cmd.Command() == "healthcheck" {
		err = CheckReady(ctx, cli.Config.Address())
	} else {
		log := cli.Config.Logging().Logger(os.Stderr).With("service", name)
		err = run(ctx, cli.Config, log)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}
