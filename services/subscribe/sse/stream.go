package sse

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

const (
	// commentEvery keeps proxies from taking a quiet stream for a dead one.
	commentEvery = 15 * time.Second
	// positionEvery is how often a client is told of progress without messages.
	positionEvery = 10 * time.Second
)

// reader is what a stream is read from. *msgq.LiveSubscription is one.
type reader interface {
	Next(ctx context.Context) (msgq.Batch, error)
	Position() msgq.Position
	Recovered() bool
}

// stream reads for one client, at its pace: while a write waits for the client
// nothing is read, and so nothing but one batch is held for it.
type stream struct {
	reader reader
	out    *writer
	sent   prometheus.Counter

	since  time.Time
	outage func() time.Duration
	grace  time.Duration

	told     uint64 // the last position the client knows
	nextTell time.Time
}

// errForsaken ends a stream whose client may reach an instance that is better off.
var errForsaken = errors.New("the broker cannot be reached")

// place is the data of a position and of a reset.
type place struct {
	Type  string `json:"type"`
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// run returns when the client has left or ctx ends.
func (s *stream) run(ctx context.Context) error {
	// The first event says where the client is: should it lose the connection
	// before a message came, it still resumes from there.
	kind := "position"
	if !s.reader.Recovered() {
		kind = "reset"
	}
	if err := s.tell(kind, s.reader.Position()); err != nil {
		return err
	}
	for {
		batch, err := s.next(ctx)
		if err == nil && batch.Reset {
			err = s.tell("reset", batch.Position)
		}
		if err == nil {
			err = s.deliver(batch)
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes a batch's messages.
func (s *stream) deliver(batch msgq.Batch) error {
	for _, m := range batch.Messages {
		w := wire.NewMessage(m)
		w.Type = "message"
		if err := s.out.event("message", msgq.Position{Epoch: batch.Position.Epoch, Seq: m.Seq}, w); err != nil {
			return err
		}
		s.told = m.Seq
		s.sent.Inc()
	}
	return s.out.flush()
}

// tell writes where the client is now.
func (s *stream) tell(kind string, pos msgq.Position) error {
	s.told, s.nextTell = pos.Seq, time.Now().Add(positionEvery)
	if err := s.out.event(kind, pos, place{Type: kind, Epoch: pos.Epoch, Seq: pos.Seq}); err != nil {
		return err
	}
	return s.out.flush()
}

// next waits for a batch, and meanwhile shows that the connection lives.
func (s *stream) next(ctx context.Context) (msgq.Batch, error) {
	for {
		silent := s.out.last.Add(commentEvery)
		due := silent
		if s.nextTell.Before(due) {
			due = s.nextTell
		}
		wait, cancel := context.WithDeadline(ctx, due)
		batch, err := s.reader.Next(wait)
		cancel()
		if len(batch.Messages) > 0 || batch.Reset {
			return batch, err
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return batch, err
		}
		if err := s.sign(silent); err != nil {
			return batch, err
		}
	}
}

// sign gives a sign of life where one is due.
func (s *stream) sign(silent time.Time) error {
	now := time.Now()
	if min(s.outage(), now.Sub(s.since)) > s.grace {
		return errForsaken
	}
	if !now.Before(s.nextTell) {
		s.nextTell = now.Add(positionEvery)
		if pos := s.reader.Position(); pos.Seq > s.told {
			return s.tell("position", pos)
		}
	}
	if !now.Before(silent) {
		return s.out.comment("")
	}
	return nil
}
