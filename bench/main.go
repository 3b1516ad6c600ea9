// Command bench measures msgq beside raw nats.go and Watermill: the same work on
// the same broker in one run, interleaved, and writes a Markdown table to
// standard output. Progress goes to standard error.
//
//	cd bench && go run . -rounds 5 -time 3s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

type options struct {
	rounds  int
	time    time.Duration
	backlog int
	dir     string
	cells   *regexp.Regexp
	brokers []brokerproc.Sync
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
	flag.IntVar(&o.rounds, "rounds", 5, "how often each contender does each thing")
	flag.DurationVar(&o.time, "time", 3*time.Second, "how long each time")
	flag.IntVar(&o.backlog, "backlog", 500_000, "messages to consume, in thousands")
	flag.StringVar(&o.dir, "dir", "", "folder for the brokers' data, on the disk to measure (default: the system's temporary one)")
	brokers := flag.String("brokers", "always,default", "when the brokers sync to disk")
	cells := flag.String("cells", "", "measure only the lines that match this regular expression (default: all)")
	flag.Parse()
	var err error
	if o.cells, err = regexp.Compile(*cells); err != nil {
		return fmt.Errorf("-cells: %w", err)
	}
	for name := range strings.SplitSeq(*brokers, ",") {
		o.brokers = append(o.brokers, brokerproc.Sync(name))
	}
	if err := o.check(); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	writeHead(os.Stdout, o)
	for _, sync := range o.brokers {
		rows, err := measure(ctx, o, sync)
		if err != nil {
			return err
		}
		writeTable(os.Stdout, sync, rows)
	}
	return nil
}

func (o options) check() error {
	for _, sync := range o.brokers {
		if sync != brokerproc.SyncAlways && sync != brokerproc.SyncDefault {
			return fmt.Errorf("-brokers: %q: always and default are allowed", sync)
		}
	}
	if o.rounds < 1 || o.time <= 0 || o.backlog < largeBatch || o.backlog%largeBatch != 0 {
		return errors.New("-rounds, -time and -backlog must be positive, and -backlog in thousands")
	}
	return nil
}
