// Command memory sends many messages through a queue and a live subscription of
// one client, with the broker in a process of its own, and prints the heap in use
// as it goes. It fails where that is not flat: what a client keeps must not
// grow with what it has handled.
//
//	cd bench && go run ./memory -messages 10000000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
	"github.com/asyncmsglib/msgq/pkg/msgq"
)

const (
	topic       = "load"
	payloadSize = 256
	batchSize   = 1000
	handlers    = 64
	// ahead is how far the publisher may be in front of the slower reader. More than
	// that waits in the stream, which holds maxBytes.
	ahead    = 100_000
	maxBytes = 1 << 30
	maxTries = 10 // of a publish, each of which waits 4 s for an answer
)

func main() {
	brokerproc.Main()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func run() error {
	messages := flag.Int64("messages", 10_000_000, "how many messages")
	every := flag.Int64("every", 1_000_000, "print and compare the heap every so many messages, in thousands")
	within := flag.Float64("within", 0.05, "how far the heap in use may be from what it was the first time")
	sync := flag.String("sync", string(brokerproc.SyncDefault), "when the broker syncs to disk: always or default")
	dir := flag.String("dir", "", "folder for the broker's data (default: the system's temporary one)")
	flag.Parse()

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	broker, err := brokerproc.Start(ctx, brokerproc.Sync(*sync), *dir)
	if err != nil {
		return err
	}
	defer broker.Stop()
	client, err := msgq.Connect(ctx, msgq.Config{
		URL: broker.URL, MaxBytes: maxBytes, Logger: slog.New(slog.DiscardHandler),
		CatchUpBytes: 1 << 20, // this cache empties with time, which would look as if the heap were not flat
	})
	if err != nil {
		return err
	}
	defer client.Close()
	l := &load{client: client, messages: *messages, moved: make(chan struct{}, 1)}
	if *every%batchSize != 0 || *every <= 0 {
		return errors.New("-every must be in thousands")
	}
	return l.run(ctx, heap{every: *every, within: *within})
}

// load is the client under load.
type load struct {
	client   *msgq.Client
	messages int64

	handled, read atomic.Int64
	moved         chan struct{} // holds a value when one of them has grown
}

// run publishes all messages, never far ahead of the slower reader, and has the heap looked at on the way.
func (l *load) run(ctx context.Context, h heap) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	queue := msgq.Queue{Name: "memory", Topics: []string{topic}}
	sub, err := l.client.Subscribe(ctx, queue, func(context.Context, *msgq.Delivery) error {
		l.handled.Add(1)
		l.signal()
		return nil
	}, msgq.WithConcurrency(handlers))
	if err != nil {
		return err
	}
	defer sub.Stop()
	live, err := l.client.Live(ctx, msgq.Live{Topics: []string{topic}})
	if err != nil {
		return err
	}
	wg.Go(func() { cancel(l.follow(ctx, live)) })
	for sent := int64(0); sent < l.messages; {
		if err := l.publishBatch(ctx); err != nil {
			return err
		}
		sent += batchSize
		if sent%h.every != 0 {
			if err := l.wait(ctx, sent-ahead); err != nil {
				return err
			}
			continue
		}
		if err := l.wait(ctx, sent); err != nil { // nothing is on its way, so that looks can be compared
			return err
		}
		if err := h.look(ctx, sent); err != nil {
			return err
		}
	}
	return nil
}

// follow reads the live subscription until ctx ends.
func (l *load) follow(ctx context.Context, live *msgq.LiveSubscription) error {
	for {
		batch, err := live.Next(ctx)
		switch {
		case err != nil:
			return err
		case batch.Reset:
			return errors.New("the live subscription was told of messages gone")
		}
		l.read.Add(int64(len(batch.Messages)))
		l.signal()
	}
}

// publishBatch repeats what the broker did not answer for, as a busy machine has it: that
// may be stored twice, and then a little more passes than is counted.
func (l *load) publishBatch(ctx context.Context) error {
	items := make([]msgq.BatchItem, batchSize)
	for i := range items {
		items[i].Message = msgq.Message{Topic: topic, Data: make([]byte, payloadSize)}
	}
	for try := 1; ; try++ {
		var failed []msgq.BatchItem
		var why error
		for i, result := range l.client.PublishBatch(ctx, items) {
			if result.Err != nil {
				failed, why = append(failed, items[i]), result.Err
			}
		}
		switch {
		case why == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case try == maxTries || !errors.Is(why, msgq.ErrUnavailable):
			return fmt.Errorf("publish: %w", why)
		}
		fmt.Printf("%d of %d messages were not acknowledged, publishing them again: %v\n", len(failed), batchSize, why)
		items = failed
	}
}

func (l *load) signal() {
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// wait waits until so many messages have passed through both readers.
func (l *load) wait(ctx context.Context, n int64) error {
	for min(l.handled.Load(), l.read.Load()) < n {
		select {
		case <-l.moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// heap compares the heap in use with what it was the first time.
type heap struct {
	every  int64
	within float64
	first  float64
}

func (h *heap) look(ctx context.Context, passed int64) error {
	now, err := settled(ctx)
	if err != nil {
		return err
	}
	if h.first == 0 {
		h.first = now
	}
	change := now/h.first - 1
	fmt.Printf("%10d messages: heap in use %6.1f MiB, %+.1f %%; %d goroutines\n", passed, now/(1<<20), change*100, runtime.NumGoroutine())
	if change > h.within || change < -h.within {
		return fmt.Errorf("the heap in use is not flat within %g %%", h.within*100)
	}
	return nil
}

// settled is the heap in use once it falls no more: buffers that a burst filled are given up one
// after the other, and what is kept for good stays however often one looks.
func settled(ctx context.Context) (float64, error) {
	const looks = 30
	last := inUse()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for range looks {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		now := inUse()
		if now > 0.995*last {
			return now, nil
		}
		last = now
	}
	return last, nil
}

func inUse() float64 {
	runtime.GC()
	runtime.GC() // the first one only begins to free what sync.Pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
