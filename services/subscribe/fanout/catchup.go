package fanout

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// catchUp reads the stream at the sink's pace until the subscription is level or ctx ends.
func (s *Subscription) catchUp(ctx context.Context, skip bool) {
	buf, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	c := &catchUp{Subscription: s, buf: *buf}
	defer func() {
		if *buf = c.buf[:0]; cap(*buf) > 2*frameBytes {
			*buf = nil
		}
	}()
	if skip && c.skip(ctx) != nil {
		return
	}
	for {
		if s.sink.Ready(ctx) != nil || s.join() {
			return
		}
		batch, err := c.next(ctx)
		if err == nil && batch.Reset {
			err = c.put(ctx, s.enc.Reset(c.begin(), batch.Position))
			c.told = batch.Position.Seq
		}
		if err == nil {
			err = c.deliver(ctx, batch.Messages, batch.Position.Epoch)
		}
		if err != nil {
			return // the connection or the service ends
		}
		s.at.Store(int64(batch.Position.Seq))
	}
}

// catchUp is what a subscription that is behind needs meanwhile.
type catchUp struct {
	*Subscription
	buf  []byte
	told uint64 // the last position that the client knows
}

func (c *catchUp) begin() []byte { return c.enc.Begin(c.buf[:0]) }

// put finishes the frame and hands it over.
func (c *catchUp) put(ctx context.Context, b []byte) error {
	c.buf = b
	return c.sink.Put(ctx, c.enc.End(b, 0))
}

func (c *catchUp) deliver(ctx context.Context, messages []*msgq.Message, epoch string) error {
	for len(messages) > 0 {
		b := c.begin()
		n := 0
		for ; n < len(messages); n++ {
			body := c.hub.bodies.of(messages[n])
			if n > 0 && len(b)+len(body) > frameBytes {
				break
			}
			b = c.enc.Message(b, msgq.Position{Seq: messages[n].Seq, Epoch: epoch}, body)
		}
		if err := c.put(ctx, b); err != nil {
			return err
		}
		c.enc.Delivered(n)
		c.told = messages[n-1].Seq
		messages = messages[n:]
	}
	return nil
}

// skip jumps to the newest message, once the client takes something again.
func (c *catchUp) skip(ctx context.Context) error {
	if err := c.sink.Ready(ctx); err != nil {
		return err
	}
	from := c.reader.Position().Seq + 1
	to := c.reader.Skip().Seq
	if to < from { // the stream is another one
		return nil
	}
	c.told = to
	return c.put(ctx, c.enc.Skipped(c.begin(), from, to))
}

// next waits for a batch, and tells the client of progress without messages when that is due.
func (c *catchUp) next(ctx context.Context) (msgq.Batch, error) {
	for {
		wait, cancel := context.WithDeadline(ctx, c.toldAt.Add(positionEvery))
		batch, err := c.reader.Next(wait)
		cancel()
		if len(batch.Messages) > 0 || batch.Reset {
			return batch, err
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return batch, err
		}
		if time.Since(c.toldAt) >= positionEvery {
			c.toldAt = time.Now()
			if pos := c.reader.Position(); pos.Seq > c.told {
				c.told = pos.Seq
				if err := c.put(ctx, c.enc.Position(c.begin(), pos)); err != nil {
					return batch, err
				}
			}
		}
		if err == nil {
			return batch, nil // it has moved on, perhaps far enough
		}
	}
}
