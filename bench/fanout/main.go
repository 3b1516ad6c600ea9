// Command fanout measures live delivery: a broker, the subscribe
// service and this load generator, each a process of its own, on one machine. It
// prints a Markdown table of medians; progress goes to standard error. Linux only.
//
//	cd bench && go run ./fanout -rounds 3
//	cd bench && go run ./fanout -only burst,paced
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

func main() {
	brokerproc.Main()
	serviceMain()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1)
	}
}

func run() error {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	rounds := flag.Int("rounds", 3, "how often each scenario runs")
	only := flag.String("only", strings.Join(names, ","), "which scenarios run")
	dir := flag.String("dir", "", "folder for the broker's data (default: the system's temporary one)")
	sync := flag.String("sync", string(brokerproc.SyncAlways), "when the broker syncs to disk: always or default")
	profile := flag.String("profile", "", "folder for CPU, allocation and mutex profiles of the service")
	flag.Parse()
	for name := range strings.SplitSeq(*only, ",") {
		if !slices.Contains(names, name) {
			return fmt.Errorf("-only: %q: %s are allowed", name, strings.Join(names, ", "))
		}
	}
	if *rounds < 1 {
		return errors.New("-rounds must be positive")
	}
	if *profile != "" {
		if err := os.MkdirAll(*profile, 0o750); err != nil {
			return fmt.Errorf("-profile: %w", err)
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	writeHead()
	for _, s := range scenarios {
		if !slices.Contains(strings.Split(*only, ","), s.name) {
			continue
		}
		results := make(map[string][]float64)
		for round := range *rounds {
			if err := runOnce(ctx, s, environment{dir: *dir, sync: brokerproc.Sync(*sync), profile: *profile}, results); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
		}
		writeRows(s, results)
	}
	return nil
}

// environment is where a scenario runs.
type environment struct {
	dir, profile string
	sync         brokerproc.Sync
}

// runOnce gives a scenario a broker and a service of its own.
func runOnce(ctx context.Context, s scenario, e environment, results map[string][]float64) error {
	fmt.Fprintln(os.Stderr, s.name)
	b, err := newBed(ctx, e, s.name)
	if err != nil {
		return err
	}
	defer b.close()
	return s.run(ctx, b, func(metric string, value float64) {
		results[metric] = append(results[metric], value)
		fmt.Fprintf(os.Stderr, "  %s: %.4g\n", metric, value)
	})
}
