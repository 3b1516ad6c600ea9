package msgq

import (
	"context"
	"iter"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// Live describes a live subscription: every matching message from a position
// on, in order, nothing to acknowledge.
type Live struct {
	// Topics are 1 to 16 patterns, see [ValidatePattern].
	Topics []string
	// Filter is a CEL expression, see package filter. Empty: every message.
	Filter string
	// From is where it starts. The zero value is [FromNew].
	From From
}

// LiveSubscription is a reader of the stream. While it is not read it costs
// next to nothing: what it has not seen stays in the stream, so a slow reader
// loses nothing but what the stream's retention removes. [LiveSubscription.Close]
// ends it. Not for concurrent use.
type LiveSubscription struct {
	c         *Client
	interest  *interest
	filter    *filter.Entry // nil: none
	pos       Position
	since     time.Time // what was stored before is skipped, up to the first message that was not
	recovered bool
	closed    bool
	barren    int  // chunks in a row that had nothing for it
	head      bool // its batches know which filters hold
}

// Batch is one step of a live subscription.
type Batch struct {
	// Messages matched, in order. It may be empty: the position has moved on all the same.
	Messages []*Message
	// Position behind everything looked at, to resume from.
	Position Position
	// Reset: messages between the last batch and this one are gone, or the
	// stream is another one. Reading goes on with the oldest held.
	Reset bool

	filters *filters // of a Head's batch
	entries []*entry // the messages'
}

// Live opens a live subscription; close it when it is no longer read. Errors:
// [ErrInvalidTopic], [ErrInvalidFilter], [ErrTooManyFilters], [ErrInvalidFrom], [ErrUnavailable].
func (c *Client) Live(ctx context.Context, l Live) (*LiveSubscription, error) {
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if err := validatePatterns(l.Topics); err != nil {
		return nil, err
	}
	if err := l.From.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.tail.ready(ctx); err != nil {
		return nil, err
	}
	f, err := c.tail.filters.add(l.Filter)
	if err != nil {
		return nil, err
	}
	s := &LiveSubscription{c: c, interest: c.tail.join(l.Topics), filter: f, recovered: true}
	if err := s.seek(ctx, l.From); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the subscription: [LiveSubscription.Next] then returns [ErrClosed].
// Closing twice is harmless.
func (s *LiveSubscription) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.c.tail.leave(s.interest)
	s.c.tail.filters.remove(s.filter)
}

// Position is where the next batch begins.
func (s *LiveSubscription) Position() Position { return s.pos }

// Recovered is false where messages that were asked for are gone.
func (s *LiveSubscription) Recovered() bool { return s.recovered }

// Skip goes on behind the newest message seen by this process.
func (s *LiveSubscription) Skip() Position {
	if view := s.c.tail.view(0, nil); view.epoch == s.pos.Epoch { // else Next tells of the other stream
		s.pos.Seq = max(s.pos.Seq, view.head)
	}
	return s.pos
}

// Wait waits until [LiveSubscription.Next] has a step to return. Errors are those of Next.
func (s *LiveSubscription) Wait(ctx context.Context) error {
	_, err := s.look(ctx)
	return err
}

// Next waits for the next step. Errors: of ctx, [ErrClosed]. While the broker is
// away it waits.
func (s *LiveSubscription) Next(ctx context.Context) (Batch, error) {
	view, err := s.look(ctx)
	switch {
	case err != nil:
		return Batch{}, err
	case view.epoch != s.pos.Epoch:
		return s.reset(Position{Seq: view.first - 1, Epoch: view.epoch}), nil
	case !view.held:
		return s.catchUp(ctx, view)
	}
	return s.take(view.entries, view.through), nil
}

// look waits until there is something behind the position.
func (s *LiveSubscription) look(ctx context.Context) (tailView, error) {
	for !s.closed {
		view := s.c.tail.view(s.pos.Seq, s.interest)
		if view.epoch != s.pos.Epoch || !view.held || len(view.entries) > 0 {
			return view, nil
		}
		if err := s.wait(ctx, view.wakeup); err != nil {
			return tailView{}, err
		}
	}
	return tailView{}, ErrClosed
}

// wait waits at the head for a message of interest.
func (s *LiveSubscription) wait(ctx context.Context, w *wakeup) (err error) {
	select {
	case <-w.woken:
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.c.ctx.Done():
		err = ErrClosed
	}
	s.pos.Seq = max(s.pos.Seq, s.c.tail.quietTo(w))
	return err
}

// catchUp reads what lies too far back for the ring.
func (s *LiveSubscription) catchUp(ctx context.Context, view tailView) (Batch, error) {
	ch, err := s.c.tail.chunks.behind(ctx, s.pos.Seq, view.base)
	if err != nil {
		return Batch{Position: s.pos}, s.c.pause(ctx)
	}
	if s.pos.Seq < ch.gone {
		return s.reset(Position{Seq: ch.gone, Epoch: s.pos.Epoch}), nil
	}
	b := s.take(ch.after(s.pos.Seq), ch.through)
	s.barren++
	if len(b.Messages) > 0 {
		s.barren = 0
	}
	if s.barren == leapAfter {
		s.barren = 0
		s.leap(ctx, view.base)
		b.Position = s.pos
	}
	return b, nil
}

func (s *LiveSubscription) reset(pos Position) Batch {
	s.pos, s.since = pos, time.Time{}
	return Batch{Position: pos, Reset: true}
}

// A batch is what a slow reader keeps in memory, so it is small.
const (
	batchMessages = 256
	batchBytes    = 256 << 10 // or one message
)

// take steps over the entries, which are all there is up to through.
func (s *LiveSubscription) take(entries []*entry, through uint64) Batch {
	var b Batch
	var bytes int64
	now := time.Now()
	for i, e := range entries {
		if bytes >= batchBytes {
			through = entries[i-1].Seq
			break
		}
		if s.matches(e, now) {
			if b.Messages == nil {
				b.Messages = make([]*Message, 0, len(entries)-i)
			}
			b.Messages = append(b.Messages, e.Message)
			bytes += e.size()
			if s.head {
				b.entries, b.filters = append(b.entries, e), s.c.tail.filters
			}
		}
	}
	s.pos.Seq = through
	b.Position = s.pos
	return b
}

func (s *LiveSubscription) matches(e *entry, now time.Time) bool {
	if !s.since.IsZero() {
		if e.Time.Before(s.since) {
			return false
		}
		s.since = time.Time{} // from here on the order counts, not the broker's clock
	}
	return !e.expired(now) && s.interest.covers(e.tokens) && (s.filter == nil || s.c.tail.filters.hold(s.filter, e))
}

// All is [LiveSubscription.Next] message by message, until ctx ends or the client is closed. Whoever stops it goes on
// behind the last message taken, where the Position is. It does not tell of a Reset, and undoes a Skip: use Next for those.
func (s *LiveSubscription) All(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for {
			batch, err := s.Next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range batch.Messages {
				s.pos.Seq = m.Seq
				if !yield(m, nil) {
					return
				}
			}
			s.pos = batch.Position
		}
	}
}
