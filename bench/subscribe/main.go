// Command subscribe measures the subscribe service's ways out of a queue: POSTs to a
// webhook, and WebSocket members that acknowledge in batches, beside a raw durable consumer with
// explicit acknowledgements. All read the same backlog from the same broker, in turns.
// The service, the webhook's receiver and the members share this process.
//
//	cd bench && go run ./subscribe -rounds 5
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/server"
)

const (
	topic       = "bench"
	payloadSize = 256
	batchSize   = 1000
)

func main() {
	brokerproc.Main()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one backlog and the service that delivers it.
type bench struct {
	broker  string
	service string // address
	backlog int
	decode  bool // the members do, with encoding/json
}

func run() error {
	rounds := flag.Int("rounds", 5, "how often each takes its turn")
	backlog := flag.Int("backlog", 30_000, "messages, in thousands")
	only := flag.String("ways", "raw,ws,webhook", "which take turns; ratios are to the first")
	decode := flag.Bool("decode", false, "have the members decode each message with encoding/json, not just look for its tag")
	profile := flag.String("cpuprofile", "", "file for a CPU profile of this process during the turns")
	dir := flag.String("dir", "", "folder for the broker's data (default: the system's temporary one)")
	flag.Parse()
	if *rounds < 1 || *backlog < batchSize || *backlog%batchSize != 0 {
		return errors.New("-rounds and -backlog must be positive, and -backlog in thousands")
	}
	ways := strings.Split(*only, ",")
	for _, way := range ways {
		if !slices.Contains([]string{"raw", "ws", "webhook"}, way) {
			return fmt.Errorf("-ways: %q, raw, ws or webhook is expected", way)
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	broker, err := brokerproc.Start(ctx, brokerproc.SyncAlways, *dir)
	if err != nil {
		return err
	}
	defer broker.Stop()
	b := &bench{broker: broker.URL, backlog: *backlog, decode: *decode}
	if err := b.fill(ctx); err != nil {
		return err
	}
	stop, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	stopProfile, err := startProfile(*profile)
	if err != nil {
		return err
	}
	defer stopProfile()
	return b.measure(ctx, *rounds, ways)
}

// startProfile profiles this process until stop. An empty file name does nothing.
func startProfile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, pprof.StartCPUProfile(f)
}

// measure gives each its turn in each round, beginning with another one.
func (b *bench) measure(ctx context.Context, rounds int, ways []string) error {
	type turn struct {
		way, name string
		run       func(context.Context) (time.Duration, error)
	}
	turns := slices.DeleteFunc([]turn{
		{"raw", "raw consumer", b.raw}, {"ws", "8 WebSocket members", b.sockets}, {"webhook", "webhook, 32 at once", b.webhook},
	}, func(t turn) bool { return !slices.Contains(ways, t.way) })
	rates := make([][]float64, len(turns))
	for round := range rounds {
		for i := range turns {
			turn := (round + i) % len(turns)
			took, err := turns[turn].run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", turns[turn].name, err)
			}
			rates[turn] = append(rates[turn], float64(b.backlog)/took.Seconds())
			fmt.Fprintf(os.Stderr, "round %d of %d, %s: %.0f/s\n", round+1, rounds, turns[turn].name, rates[turn][round])
		}
	}
	fmt.Println("| way out | messages/s, median | of raw |\n| --- | ---: | ---: |")
	for i, turn := range turns {
		ratios := make([]float64, rounds)
		for round := range rounds {
			ratios[round] = rates[i][round] / rates[0][round]
		}
		fmt.Printf("| %s | %.0f | %.2f |\n", turn.name, median(rates[i]), median(ratios))
	}
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func (b *bench) fill(ctx context.Context) error {
	client, err := msgq.Connect(ctx, msgq.Config{URL: b.broker, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer client.Close()
	items := make([]msgq.BatchItem, batchSize)
	for i := range items {
		items[i].Message = msgq.Message{Topic: topic, Data: make([]byte, payloadSize)}
	}
	for range b.backlog / batchSize {
		for _, result := range client.PublishBatch(ctx, items) {
			if result.Err != nil {
				return result.Err
			}
		}
	}
	return nil
}

// serve runs the subscribe service until stop.
func (b *bench) serve(ctx context.Context) (stop func(), err error) {
	var cfg server.Config
	parser, err := kong.New(&cfg)
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse([]string{"--nats-url=" + b.broker, "--push-private"}); err != nil {
		return nil, err
	}
	listener, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	b.service = listener.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(ctx, listener, cfg, slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintln(os.Stderr, "subscribe service:", err)
		}
	}()
	return func() { cancel(); <-ended }, nil
}
