package msgq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// lookInterval is how often the streams are looked at without a cause: it
// bounds how long a stream deleted or restored behind our back goes unnoticed.
const lookInterval = 2 * time.Second

// streams watches over the streams: it creates what is missing, knows the
// epoch, and tells whether messages can flow.
type streams struct {
	c    *Client
	wake chan struct{}

	mu    sync.Mutex
	state streamState
	err   error         // why they are not ready; nil if they are
	known chan struct{} // closed and replaced with every look
	later uint64        // last sequence of the stream of later messages

	missed time.Time // when a stream that had been there was first missed; of run alone

	usages usages
}

// streamState is what a look at the stream showed.
type streamState struct {
	Epoch       string
	First, Last uint64 // Last is First-1 where it is empty
	FirstTime   time.Time
	LastTime    time.Time

	DuplicateWindow time.Duration // not that of the settings, where somebody else made the stream
}

// mark is a message as it was seen: where the stream lost its end and was filled
// again, another one has that sequence, stored at another time.
type mark struct {
	seq  uint64
	time time.Time
}

func (m mark) same(o mark) bool { return m.seq == o.seq && m.time.Equal(o.time) }

func (s streamState) newest() mark { return mark{s.Last, s.LastTime} }

var (
	errNotLooked    = fmt.Errorf("%w: not connected yet", ErrUnavailable)
	errNotConnected = fmt.Errorf("%w: not connected", ErrUnavailable)
)

func newStreams(c *Client) *streams {
	return &streams{c: c, wake: make(chan struct{}, 1), err: errNotLooked, known: make(chan struct{})}
}

// look asks for a look at the streams now.
func (s *streams) look() { nudge(s.wake) }

func (s *streams) run() {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	var broker stranded
	for {
		select {
		case <-s.c.ctx.Done():
			return
		case <-s.wake:
		case <-ticker.C:
		}
		if broker.met(s.c.nc) {
			continue
		}
		began := time.Now()
		state, err := s.provision(s.c.ctx)
		if s.c.ctx.Err() != nil {
			return
		}
		s.record(state, err)
		if broker.leave(began, time.Now(), err) {
			broker.tryAnother(s.c.nc, s.c.cfg.Logger, err)
		}
	}
}

// provision makes the streams what they have to be and returns their state.
func (s *streams) provision(ctx context.Context) (streamState, error) {
	if s.c.nc.Status() != nats.CONNECTED {
		return streamState{}, errNotConnected
	}
	seen := s.c.tail.newest() // before the look: what is stored meanwhile is no loss
	info, err := s.find(ctx)
	if err != nil {
		return streamState{}, err
	}
	s.missed = time.Time{}
	if err := usable(info.Config, s.c.names); err != nil {
		return streamState{}, err
	}
	state := newStreamState(info)
	if before := s.current().Epoch; before == "" || before != state.Epoch {
		s.warn(info.Config)
	}
	lost := state.Epoch == ""
	if state.Epoch == s.current().Epoch && !lost {
		if lost, err = s.lost(ctx, seen, state); err != nil {
			return streamState{}, err
		}
	}
	if lost {
		return s.newEpoch(ctx, info)
	}
	return state, nil
}

// find has the streams created that are missing.
func (s *streams) find(ctx context.Context) (*jetstream.StreamInfo, error) {
	info, err := s.allInfo(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) && !s.c.cfg.NoProvision && !s.isBeingDeleted() {
		if err = s.create(ctx); err == nil {
			info, err = s.allInfo(ctx)
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("%w: a stream is missing: %w", ErrUnavailable, err)
	case errors.Is(err, ErrUnavailable):
		return nil, err
	}
	return info, brokerError("look at the stream", err)
}

// deletionTime is what a broker gets to delete a stream. nats-server 2.15 tells that it is gone before its folder is: one that is made
// again meanwhile loses its files, and the broker may panic.
const deletionTime = 500 * time.Millisecond

// isBeingDeleted reports whether a stream that was there may be on its way out. If so it has another look afterwards.
func (s *streams) isBeingDeleted() bool {
	if s.current().Epoch == "" {
		return false
	}
	if s.missed.IsZero() {
		s.missed = time.Now()
		time.AfterFunc(deletionTime, s.look)
	}
	return time.Since(s.missed) < deletionTime
}

// lost reports whether the message is gone, or another one, otherwise than by retention or deletion.
func (s *streams) lost(ctx context.Context, seen mark, state streamState) (bool, error) {
	if state.Last < seen.seq {
		return true, nil
	}
	if seen.seq == 0 || state.newest().same(seen) {
		return false, nil
	}
	now, err := s.c.find(ctx, question{Seq: seen.seq})
	if err != nil {
		return false, err
	}
	return now.seq == seen.seq && !now.same(seen), nil
}

// allInfo is eventsInfo where the other streams are there too.
func (s *streams) allInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	later, err := s.info(ctx, s.c.names.later)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.later = later.State.LastSeq
	s.mu.Unlock()
	for _, name := range []string{s.c.names.dead, s.c.names.counts} {
		if _, err := s.info(ctx, name); err != nil {
			return nil, err
		}
	}
	return s.eventsInfo(ctx)
}

// endOfLater is the last sequence of the stream of later messages at the last look.
func (s *streams) endOfLater() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.later
}

func (s *streams) eventsInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	return s.info(ctx, s.c.names.events)
}

func (s *streams) info(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, cancel := s.c.withTimeout(ctx)
	defer cancel()
	info, err := s.led(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if now, warn := s.usages.see(info); warn {
		s.c.cfg.Logger.Warn("the stream is nearly full", "stream", name, "bytes", now.Bytes, "max_bytes", now.MaxBytes)
	}
	return info, nil
}

func (s *streams) record(state streamState, err error) {
	s.mu.Lock()
	before := s.err
	if err == nil {
		s.state = state
	}
	s.err = err
	close(s.known)
	s.known = make(chan struct{})
	s.mu.Unlock()
	switch {
	case err == nil && before != nil:
		s.c.cfg.Logger.Info("streams ready", "stream", s.c.names.events, "epoch", state.Epoch, "last_seq", state.Last)
	case err != nil && (before == nil || before.Error() != err.Error()):
		s.c.cfg.Logger.Warn("streams not ready", "stream", s.c.names.events, "error", err)
	}
	if err == nil {
		s.c.tail.epochSeen(state)
	}
}

func (s *streams) current() streamState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// ready waits until a look went well.
func (s *streams) ready(ctx context.Context) error {
	for {
		if s.c.ctx.Err() != nil {
			return ErrClosed
		}
		s.mu.Lock()
		err, known := s.err, s.known
		s.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-known:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		case <-s.c.ctx.Done():
			return ErrClosed
		}
	}
}

// check looks now, whatever an earlier look showed.
func (s *streams) check(ctx context.Context) error {
	if s.c.nc.Status() != nats.CONNECTED {
		return errNotConnected
	}
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := s.eventsInfo(ctx); err != nil {
		s.look()
		return brokerError("look at the stream", err)
	}
	return nil
}
