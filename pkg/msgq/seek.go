package msgq

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// seek turns a From into a position.
func (s *LiveSubscription) seek(ctx context.Context, from From) error {
	view := s.c.tail.view(0, 0)
	s.pos = Position{Seq: view.head, Epoch: view.epoch}
	if from.kind == fromNew {
		// The tail may lag: what was acknowledged to a publisher before now is not new.
		if state, err := s.c.state(ctx); err == nil && state.Epoch == view.epoch {
			s.pos.Seq = max(view.head, state.Last)
		}
		return nil
	}
	if from.kind == fromAfter && (from.pos.Epoch == "" || from.pos.Epoch == view.epoch) && s.c.tail.view(from.pos.Seq, 0).held {
		s.pos.Seq = from.pos.Seq // the common case after a reconnect: nothing to ask the broker for
		return nil
	}
	state, err := s.c.state(ctx)
	if err != nil {
		return err
	}
	oldest := state.First - 1
	s.pos.Seq = oldest
	switch from.kind {
	case fromAfter:
		s.recovered = from.pos.Seq >= oldest && (from.pos.Epoch == "" || from.pos.Epoch == state.Epoch)
		if s.recovered {
			s.pos.Seq = from.pos.Seq
		}
	case fromTime:
		return s.seekTime(ctx, from.time, state)
	case fromLast:
		s.pos.Seq, err = s.c.seqBeforeLast(ctx, s.topics, from.last, state)
	}
	return err
}

func (s *LiveSubscription) seekTime(ctx context.Context, t time.Time, state streamState) (err error) {
	s.pos.Seq, err = s.c.seqBefore(ctx, t, state.Last)
	// What is held begins later than asked for, and something was held before.
	gone := state.First > 1 && s.pos.Seq < state.First && t.Before(state.FirstTime)
	s.recovered = !gone
	return err
}

// restart goes on with the oldest message of another life of the stream.
func (s *LiveSubscription) restart(ctx context.Context) (Batch, error) {
	state, err := s.c.stateRetry(ctx)
	if err != nil {
		return Batch{}, err
	}
	s.pos = Position{Seq: state.First - 1, Epoch: state.Epoch}
	return Batch{Position: s.pos, Reset: true}, nil
}

// catchUp reads what lies too far back for the ring.
func (s *LiveSubscription) catchUp(ctx context.Context, head uint64) (Batch, error) {
	for {
		entries, next, err := s.c.readAfter(ctx, s.pos.Seq, head)
		if err == nil && (len(entries) == 0 || entries[0].Seq > s.pos.Seq+1) {
			// A hole: of other subjects and deleted messages, or the stream's end has passed us.
			var state streamState
			if state, err = s.c.state(ctx); err == nil && s.pos.Seq+1 < state.First {
				s.pos.Seq = state.First - 1
				return Batch{Position: s.pos, Reset: true}, nil
			}
		}
		if err == nil {
			s.pos.Seq = next
			return Batch{Messages: s.match(entries), Position: s.pos}, nil
		}
		if err := s.c.pause(ctx); err != nil {
			return Batch{}, err
		}
	}
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
		First: max(info.State.FirstSeq, 1), FirstTime: info.State.FirstTime, Last: info.State.LastSeq,
	}
}

// stateRetry is state, repeated until the broker answers.
func (c *Client) stateRetry(ctx context.Context) (streamState, error) {
	for {
		state, err := c.state(ctx)
		if err == nil && state.Epoch != "" {
			return state, nil
		}
		if err := c.pause(ctx); err != nil {
			return streamState{}, err
		}
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
