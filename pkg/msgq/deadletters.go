package msgq

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// DeadLettersOption narrows one [Client.DeadLetters].
type DeadLettersOption func(*deadRange)

// deadRange is which dead letters to go through.
type deadRange struct {
	filter string
	after  uint64
	until  uint64 // zero: what is there when it begins
	limit  int    // zero: all
}

// DeadMatching goes through those dead letters whose message a filter holds for.
func DeadMatching(filter string) DeadLettersOption { return func(r *deadRange) { r.filter = filter } }

// DeadAfter begins behind the dead letter with this DeadSeq: the last one of the page before.
func DeadAfter(deadSeq uint64) DeadLettersOption { return func(r *deadRange) { r.after = deadSeq } }

// DeadLimit ends after n dead letters.
func DeadLimit(n int) DeadLettersOption { return func(r *deadRange) { r.limit = n } }

// DeadLetters goes through the queue's dead letters, oldest first, in pieces of
// bounded size: those there are when it begins. An error ends it: [ErrInvalidQueue], [ErrInvalidFilter], [ErrUnavailable].
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
		for found, err := range c.pieces(ctx, stored{c.names.dead, c.names.deadLetters(queue)}, r.after, r.until, piece) {
			if !yield(c.names.matching(f, found), err) {
				return
			}
		}
	}
}

// pieces goes through what is stored there behind a sequence and up to another one, or what there is when it begins: who adds
// to it from within the loop would not come to its end. An error ends it.
func (c *Client) pieces(ctx context.Context, l stored, after, until uint64, size int) iter.Seq2[[]*jetstream.RawStreamMsg, error] {
	return func(yield func([]*jetstream.RawStreamMsg, error) bool) {
		var err error
		end := until
		if end == 0 {
			end, err = c.lastSeq(ctx, l.stream)
		}
		for next := after + 1; err == nil && next <= end; {
			var found []*jetstream.RawStreamMsg
			found, err = c.readOn(ctx, l.stream, l.subject, next, end, size)
			if err != nil || len(found) == 0 {
				break
			}
			next = found[len(found)-1].Sequence + 1
			found = slices.DeleteFunc(found, func(raw *jetstream.RawStreamMsg) bool { return raw.Sequence > end })
			if !yield(found, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
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

// matching leaves those that the filter holds for.
func (n names) matching(f *filter.Filter, all []*jetstream.RawStreamMsg) []*jetstream.RawStreamMsg {
	if f == nil {
		return all
	}
	return slices.DeleteFunc(all, func(raw *jetstream.RawStreamMsg) bool {
		d := n.decodeDead(raw)
		return !f.Match(newEntry(&d.Message).event)
	})
}
