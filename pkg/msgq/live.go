package msgq

import (
	"context"
	"fmt"
	"iter"
	"slices"
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

// LiveSubscription is a reader of the stream. It costs nothing while it is not
// read: what it has not seen stays in the stream, so a slow reader loses nothing
// but what the stream's retention removes. Not for concurrent use.
type LiveSubscription struct {
	c         *Client
	topics    []string
	filter    *filter.Filter
	pos       Position
	recovered bool
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
}

// Live opens a live subscription. Errors: [ErrInvalidTopic], [ErrInvalidFilter], [ErrInvalidFrom], [ErrUnavailable].
func (c *Client) Live(ctx context.Context, l Live) (*LiveSubscription, error) {
	if err := validatePatterns(l.Topics); err != nil {
		return nil, err
	}
	if err := l.From.validate(); err != nil {
		return nil, err
	}
	f, err := compileFilter(l.Filter)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.tail.ready(ctx); err != nil {
		return nil, err
	}
	s := &LiveSubscription{c: c, topics: slices.Clone(l.Topics), filter: f, recovered: true}
	if err := s.seek(ctx, l.From); err != nil {
		return nil, err
	}
	return s, nil
}

func compileFilter(text string) (*filter.Filter, error) {
	if text == "" {
		return nil, nil
	}
	f, err := filter.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidFilter, err)
	}
	return f, nil
}

// Position is where the next batch begins.
func (s *LiveSubscription) Position() Position { return s.pos }

// Recovered is false where messages that were asked for are gone.
func (s *LiveSubscription) Recovered() bool { return s.recovered }

// Skip goes on behind the newest message seen by this process.
func (s *LiveSubscription) Skip() Position {
	if view := s.c.tail.view(0, 0); view.epoch == s.pos.Epoch { // else Next tells of the other stream
		s.pos.Seq = max(s.pos.Seq, view.head)
	}
	return s.pos
}

// Next waits for the next step. Errors: of ctx, [ErrClosed]. While the broker is
// away it waits.
func (s *LiveSubscription) Next(ctx context.Context) (Batch, error) {
	for {
		view := s.c.tail.view(s.pos.Seq, chunkMessages)
		switch {
		case view.epoch != s.pos.Epoch:
			return s.restart(ctx)
		case len(view.entries) > 0:
			s.pos.Seq = view.entries[len(view.entries)-1].Seq
			return Batch{Messages: s.match(view.entries), Position: s.pos}, nil
		case !view.held:
			return s.catchUp(ctx, view.head)
		}
		select {
		case <-view.changed:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-s.c.ctx.Done():
			return Batch{}, ErrClosed
		}
	}
}

// All is [LiveSubscription.Next] message by message, until ctx ends or the client is closed.
func (s *LiveSubscription) All(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for {
			batch, err := s.Next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range batch.Messages {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

func (s *LiveSubscription) match(entries []*entry) []*Message {
	var matched []*Message
	now := time.Now()
	for _, e := range entries {
		if !e.expires.IsZero() && e.expires.Before(now) { // the ring may hold what the stream has forgotten
			continue
		}
		if matchAny(s.topics, e.Topic) && (s.filter == nil || s.filter.Match(e.event)) {
			matched = append(matched, e.Message)
		}
	}
	return matched
}

func matchAny(patterns []string, topic string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return MatchTopic(p, topic) })
}
