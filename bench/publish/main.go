// Command publish measures the publish service over HTTP: wrk, the service and
// the broker on this machine, in rounds that take turns. It writes a Markdown
// table to standard output; progress goes to standard error.
//
//	make bench-publish
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

type options struct {
	rounds       int
	time         time.Duration
	service, dir string
}

func main() {
	brokerproc.Main()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often each thing is done")
	flag.DurationVar(&o.time, "time", 5*time.Second, "how long each time, in whole seconds")
	flag.StringVar(&o.service, "service", "../bin/publish", "the publish service's program")
	flag.StringVar(&o.dir, "dir", "", "folder for the brokers' data, on the disk to measure (default: the system's temporary one)")
	flag.Parse()
	if o.rounds < 1 || o.time < time.Second {
		return errors.New("-rounds: at least 1, and -time: at least 1s")
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not there; install it (Debian: apt-get install wrk, macOS: brew install wrk) and run this again")
	}
	if _, err := os.Stat(o.service); err != nil {
		return fmt.Errorf("the service is not there (make build makes it): %w", err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	writeHead(os.Stdout, o)
	for _, sync := range []brokerproc.Sync{brokerproc.SyncAlways, brokerproc.SyncDefault} {
		if err := measure(ctx, o, sync); err != nil {
			return fmt.Errorf("broker that syncs %s: %w", sync, err)
		}
	}
	return nil
}

// measure runs everything on a broker of its own and writes its tables.
func measure(ctx context.Context, o options, sync brokerproc.Sync) error {
	broker, err := brokerproc.Start(ctx, sync, o.dir)
	if err != nil {
		return err
	}
	defer broker.Stop()
	service, err := startService(ctx, o.service, broker.URL)
	if err != nil {
		return err
	}
	defer service.stop()
	singles := []*singleRow{{connections: 64, rate: 32_000}}
	if sync == brokerproc.SyncAlways {
		singles = []*singleRow{{connections: 64, rate: 13_000, p99: 12 * time.Millisecond}, {connections: 256, rate: 22_000}}
	}
	batches := []*batchRow{{callers: 1}, {callers: 4}}
	for round := range o.rounds {
		for _, row := range singles {
			if err := row.measure(ctx, service, o.time); err != nil {
				return err
			}
		}
		for _, row := range batches {
			if err := row.measure(ctx, service, broker.URL, o.time, round%2 == 0); err != nil {
				return err
			}
		}
	}
	writeTables(os.Stdout, sync, singles, batches)
	if sync == brokerproc.SyncAlways {
		return measureMemory(ctx, os.Stdout, o.service, broker.URL)
	}
	return nil
}
