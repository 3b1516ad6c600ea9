package msgq

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// seek turns a From into a position.
func (s *LiveSubscription) seek(ctx context.Context, from From) error {
	view := s.c.tail.view(0, nil)
	s.pos = Position{Seq: view.head, Epoch: view.epoch}
	if from.kind == fromAfter && (from.pos.Epoch == "" || from.pos.Epoch == view.epoch) {
		return s.seekAfter(ctx, from.pos.Seq)
	}
	state, err := s.stateOfTail(ctx)
	if err != nil && from.kind == fromNew {
		return nil // waiting for new messages needs no broker now
	}
	if err != nil {
		return err
	}
	switch from.kind {
	case fromNew: // the tail may lag: what was acknowledged to a publisher before now is not new
		s.pos.Seq = max(s.pos.Seq, state.Last)
	case fromAll:
		s.pos.Seq = state.First - 1
	case fromAfter:
		if from.pos.Epoch == state.Epoch {
			return s.seekAfter(ctx, from.pos.Seq)
		}
		s.pos.Seq, s.recovered = state.First-1, false
	case fromTime:
		return s.seekTime(ctx, from.time)
	case fromLast:
		s.pos.Seq, err = s.c.seqBeforeLast(ctx, s.interest.patterns, from.last, state)
	}
	return err
}

// stateOfTail is the stream's state, once the tail knows of the epoch that it is in.
func (s *LiveSubscription) stateOfTail(ctx context.Context) (streamState, error) {
	for {
		state, err := s.c.state(ctx)
		if err != nil {
			return streamState{}, err
		}
		if s.pos.Epoch = s.c.tail.view(0, nil).epoch; s.pos.Epoch == state.Epoch {
			return state, nil
		}
		s.c.streams.look()
		if err := s.c.pause(ctx); err != nil {
			return streamState{}, brokerError("live subscription", err)
		}
	}
}

// seekAfter goes to a position of this epoch and finds out whether all behind it
// is still there. Where the ring does not know, the chunk does that is read next anyway.
func (s *LiveSubscription) seekAfter(ctx context.Context, seq uint64) error {
	s.pos.Seq = seq
	view := s.c.tail.view(seq, nil)
	if view.held {
		return nil
	}
	ch, err := s.c.chunkBehind(ctx, seq, view.base)
	if err != nil {
		return err
	}
	s.recovered = seq >= ch.gone
	s.pos.Seq = max(seq, ch.gone)
	return nil
}

// chunkBehind reads the stream behind seq, as far as limit at most, and tries again until ctx ends.
func (c *Client) chunkBehind(ctx context.Context, seq, limit uint64) (*chunk, error) {
	for {
		ch, err := c.tail.chunks.behind(ctx, seq, limit)
		if err == nil {
			return ch, nil
		}
		if c.pause(ctx) != nil {
			return nil, brokerError("read the stream", err)
		}
	}
}

// seekTime goes to the position before the first message stored at t or later.
func (s *LiveSubscription) seekTime(ctx context.Context, t time.Time) error {
	info, err := s.c.streams.eventsInfo(ctx)
	if err != nil {
		return brokerError("look at the stream", err)
	}
	found, err := s.c.find(ctx, question{Time: &t})
	if err != nil {
		return err
	}
	s.since = t
	s.pos.Seq = info.State.LastSeq
	if found.seq > 0 {
		s.pos.Seq = found.seq - 1
	}
	s.recovered = newStreamState(info).holds(FromTime(t))
	return nil
}

// holds reports whether nothing is gone that is asked for, as far as the start of the stream tells.
func (s streamState) holds(from From) bool {
	switch from.kind {
	case fromAfter:
		return (from.pos.Epoch == "" || from.pos.Epoch == s.Epoch) && from.pos.Seq >= s.First-1
	case fromTime:
		oldest := s.FirstTime
		if s.Last < s.First { // something was held before, and it may have been what is asked for
			oldest = s.LastTime.Add(1)
		}
		return s.First <= 1 || !from.time.Before(oldest)
	}
	return true
}

// state asks the broker for the stream's state now.
func (c *Client) state(ctx context.Context) (streamState, error) {
	info, err := c.streams.eventsInfo(ctx)
	if err != nil {
		return streamState{}, brokerError("look at the stream", err)
	}
	return newStreamState(info), nil
}

func newStreamState(info *jetstream.StreamInfo) streamState {
	return streamState{
		Epoch: info.Config.Metadata[metaEpoch],
		First: max(info.State.FirstSeq, 1), FirstTime: info.State.FirstTime,
		Last: info.State.LastSeq, LastTime: info.State.LastTime,
		DuplicateWindow: info.Config.Duplicates,
	}
}

// retryPause is the wait before a failed read of the broker is repeated.
const retryPause = 250 * time.Millisecond

// pause waits before something is tried again. Errors: of ctx, [ErrClosed].
func (c *Client) pause(ctx context.Context) error {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
}
