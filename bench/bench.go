package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

// bench is one broker and what is measured on it.
type bench struct {
	rounds  int
	time    time.Duration
	backlog int
	url     string
}

// row is what a cell came to: messages per second in each round.
type row struct {
	cell
	raw, ours, mill, plainMill []float64
}

// measure runs all cells on a broker of their own.
func measure(ctx context.Context, o options, sync brokerproc.Sync) ([]row, error) {
	broker, err := brokerproc.Start(ctx, sync, o.dir)
	if err != nil {
		return nil, err
	}
	defer broker.Stop()
	b := &bench{rounds: o.rounds, time: o.time, backlog: o.backlog, url: broker.URL}
	c, err := dialOurs(ctx, b.url) // makes the stream that all use
	if err != nil {
		return nil, err
	}
	c.close()
	var rows []row
	for _, cell := range cells(sync) {
		if !o.cells.MatchString(cell.what) {
			continue
		}
		r, err := b.row(ctx, cell)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cell.what, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// row measures one cell: in each round every contender once, each round
// beginning with another one, so that neither time nor order favours any.
func (b *bench) row(ctx context.Context, c cell) (row, error) {
	r := row{cell: c}
	turns := []struct {
		name  string
		dial  func(ctx context.Context, url string) (contender, error)
		rates *[]float64
	}{
		{"raw", dialRaw, &r.raw}, {"msgq", dialOurs, &r.ours}, {"watermill", dialMill, &r.mill},
		{"watermill as it comes", dialPlainMill, &r.plainMill},
	}
	turns = turns[:c.contenders]
	for round := range b.rounds {
		for i := range turns {
			turn := turns[(round+i)%len(turns)]
			result, err := b.turn(ctx, c, turn.dial)
			if err != nil {
				return r, fmt.Errorf("%s: %w", turn.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s, round %d of %d, %s: %.0f/s\n", c.what, round+1, b.rounds, turn.name, result)
			*turn.rates = append(*turn.rates, result)
		}
	}
	return r, nil
}

// turn has one contender connected and no other: what a client does in the background is its own.
func (b *bench) turn(ctx context.Context, c cell, dial func(context.Context, string) (contender, error)) (float64, error) {
	if err := c.prepare(ctx, b); err != nil {
		return 0, err
	}
	contender, err := dial(ctx, b.url)
	if err != nil {
		return 0, err
	}
	defer contender.close()
	return c.run(ctx, b, contender)
}

// purge empties the stream, so that each measurement of publishing begins with the same one.
func (b *bench) purge(ctx context.Context) error {
	return b.withStream(ctx, func(s jetstream.Stream) error { return s.Purge(ctx) })
}

// fill brings the backlog into the stream, once, as msgq stores it.
func (b *bench) fill(ctx context.Context) error {
	return b.withStream(ctx, func(s jetstream.Stream) error {
		if s.CachedInfo().State.Msgs == uint64(b.backlog) {
			return nil
		}
		if err := s.Purge(ctx); err != nil {
			return err
		}
		c, err := dialOurs(ctx, b.url)
		if err != nil {
			return err
		}
		defer c.close()
		data := make([]byte, payloadSize)
		for range b.backlog / largeBatch {
			if err := c.publishBatch(ctx, largeBatch, data); err != nil {
				return fmt.Errorf("fill the stream: %w", err)
			}
		}
		return nil
	})
}

func (b *bench) withStream(ctx context.Context, do func(jetstream.Stream) error) error {
	nc, err := nats.Connect(b.url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	return do(s)
}
