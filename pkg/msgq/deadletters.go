package msgq

import (
	"context"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// DeadLettersOption narrows one [Client.DeadLetters].
type DeadLettersOption func(*deadRange)

// deadRange is which dead letters to go through.
type deadRange struct {
	filter string
	after  uint64
	until  uint64 // zero: no end
	limit  int    // zero: all
}

// DeadMatching goes through those dead letters whose message a filter holds for.
func DeadMatching(filter string) DeadLettersOption { return func(r *deadRange) { r.filter = filter } }

// DeadAfter begins behind the dead letter with this DeadSeq: the last one of the page before.
func DeadAfter(deadSeq uint64) DeadLettersOption { return func(r *deadRange) { r.after = deadSeq } }

// DeadLimit ends after n dead letters.
func DeadLimit(n int) DeadLettersOption { return func(r *deadRange) { r.limit = n } }

// DeadLetters goes through the queue's dead letters, oldest first, in pieces of
// bounded size. An error ends it: [ErrInvalidQueue], [ErrInvalidFilter], [ErrUnavailable].
func (c *Client) DeadLetters(ctx context.Context, queue string, opts ...DeadLettersOption) iter.Seq2[DeadLetter, error] {
	var r deadRange
	for _, opt := range opts {
		opt(&r)
	}
	return func(yield func(DeadLetter, error) bool) {
		n := 0
		for found, err := range c.deadLetters(ctx, queue, r) {
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			for _, raw := range found {
				n++
				if !yield(c.names.decodeDead(raw), nil) || n == r.limit {
					return
				}
			}
		}
	}
}

// deadLetters goes through the range as it is stored, piece by piece.
func (c *Client) deadLetters(ctx context.Context, queue string, r deadRange) iter.Seq2[[]*jetstream.RawStreamMsg, error] {
	return func(yield func([]*jetstream.RawStreamMsg, error) bool) {
		f, err := r.compile(queue)
		if err != nil {
			yield(nil, err)
			return
		}
		piece := chunkMessages
		if r.limit > 0 && f == nil {
			piece = min(piece, r.limit)
		}
		for next := r.after + 1; ; {
			found, err := c.readOn(ctx, c.names.dead, c.names.deadLetters(queue), next, r.until, piece)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(found) == 0 {
				return
			}
			next = found[len(found)-1].Sequence + 1
			if !yield(c.names.matching(f, r.until, found), nil) || r.until > 0 && next > r.until {
				return
			}
		}
	}
}

func (r deadRange) compile(queue string) (*filter.Filter, error) {
	if err := ValidateQueueName(queue); err != nil {
		return nil, err
	}
	if r.limit < 0 {
		return nil, fmt.Errorf("%w: limit %d, 0 or more is allowed", ErrInvalidQueue, r.limit)
	}
	return compileFilter(r.filter)
}

// matching leaves those up to a sequence that the filter holds for.
func (n names) matching(f *filter.Filter, until uint64, all []*jetstream.RawStreamMsg) []*jetstream.RawStreamMsg {
	var found []*jetstream.RawStreamMsg
	for _, raw := range all {
		if until > 0 && raw.Sequence > until {
			break
		}
		if f != nil {
			d := n.decodeDead(raw)
			if !f.Match(newEntry(&d.Message).event) {
				continue
			}
		}
		found = append(found, raw)
	}
	return found
}
