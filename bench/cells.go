package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

// cell is one line of the table: something that each contender does.
type cell struct {
	what string
	// prepare brings the stream into the state that each measurement begins with.
	prepare func(ctx context.Context, b *bench) error
	// run measures messages per second.
	run func(ctx context.Context, b *bench, c contender) (float64, error)
	// overRaw and overMill are what msgq is to reach, as a multiple of raw nats.go and of Watermill as it comes. 0: no goal.
	overRaw, overMill float64
	contenders        int // how many take part: raw, msgq, Watermill, Watermill as it comes
}

// cells lists what is measured, with the goals for a broker that syncs so.
func cells(sync brokerproc.Sync) []cell {
	goals := map[int]float64{1: 0.95, 64: 3.5, 256: 8}
	if sync == brokerproc.SyncDefault {
		goals = map[int]float64{1: 0.9, 64: 0.9, 256: 0.9}
	}
	var all []cell
	for _, callers := range []int{1, 64, 256} {
		all = append(all, publishCell(callers, goals[callers]))
	}
	// Batches of 64 in turn are what 64 callers that share batches can reach at most.
	for _, size := range []int{64, largeBatch} {
		all = append(all, batchCell(size))
	}
	for _, concurrency := range []int{1, 64} {
		all = append(all, consumeCell(concurrency))
	}
	return all
}

func publishCell(callers int, goal float64) cell {
	return cell{
		what:    fmt.Sprintf("publish, %d at once", callers),
		overRaw: goal, contenders: 3, // Watermill's settings make no difference here
		prepare: func(ctx context.Context, b *bench) error { return b.purge(ctx) },
		run: func(ctx context.Context, b *bench, c contender) (float64, error) {
			data := make([]byte, payloadSize)
			return rate(ctx, callers, b.time, func(ctx context.Context) error { return c.publish(ctx, data) })
		},
	}
}

func batchCell(size int) cell {
	return cell{
		what:    fmt.Sprintf("publish batches of %d", size),
		overRaw: 0.9, contenders: 2,
		prepare: func(ctx context.Context, b *bench) error { return b.purge(ctx) },
		run: func(ctx context.Context, b *bench, c contender) (float64, error) {
			data := make([]byte, payloadSize)
			batches, err := rate(ctx, 1, b.time, func(ctx context.Context) error { return c.publishBatch(ctx, size, data) })
			return batches * float64(size), err
		},
	}
}

func consumeCell(concurrency int) cell {
	what := fmt.Sprintf("consume and acknowledge, %d handlers", concurrency)
	if concurrency == 1 {
		what = "consume and acknowledge, 1 handler"
	}
	return cell{
		what:    what,
		overRaw: 0.9, overMill: 2, contenders: 4,
		prepare: func(ctx context.Context, b *bench) error { return b.fill(ctx) },
		run: func(ctx context.Context, b *bench, c contender) (float64, error) {
			return consumeRate(ctx, c, concurrency, int64(b.backlog), b.time)
		},
	}
}

// consumeRate is how fast the backlog is handled, from the first message on, for d or until it is all done.
func consumeRate(ctx context.Context, c contender, concurrency int, backlog int64, d time.Duration) (float64, error) {
	var handled atomic.Int64
	first, last := make(chan struct{}), make(chan struct{})
	stop, err := c.consume(ctx, concurrency, func() {
		switch handled.Add(1) {
		case 1:
			close(first)
		case backlog:
			close(last)
		}
	})
	if err != nil {
		return 0, err
	}
	defer stop()
	select {
	case <-first:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Minute):
		return 0, errors.New("no message within a minute")
	}
	start := time.Now()
	wait(ctx, d, last)
	return float64(min(handled.Load(), backlog)) / time.Since(start).Seconds(), ctx.Err()
}
