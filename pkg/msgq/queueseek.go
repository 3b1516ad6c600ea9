package msgq

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// SeekQueue starts the queue over from a position of the stream: what lies behind it is delivered as if for the first time, what
// lies before it is not. Members stay and go on from there. What waited for a retry or was redriven and is not
// settled is forgotten, since the messages it stands for come again if the position says so; dead letters stay. The
// outcome of a delivery that is out while the queue is sought may or may not count;
// that of an older tag is [ErrSettled]. Errors: [ErrQueueNotFound], [ErrInvalidFrom], [ErrUnavailable], and
// [ErrInvalidQueue] for a queue made before queues could be sought, which stays as it was.
func (c *Client) SeekQueue(ctx context.Context, name string, from From) error {
	if err := from.validate(); err != nil {
		return err
	}
	info, err := c.startedQueue(ctx, name)
	if err != nil {
		return err
	}
	if info.Config.DeliverPolicy != jetstream.DeliverAllPolicy { // the broker would refuse when the retries are gone
		return fmt.Errorf("%w: %q was made by a version whose queues cannot be sought: delete it and make it again", ErrInvalidQueue, name)
	}
	q, _ := c.fromConsumer(info)
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	start, err := c.startSeq(ctx, q.Topics, from)
	if err != nil {
		return err
	}
	// Waiting retries first: one of a message delivered again would meet the old one on its subject.
	copies := c.copies(name)
	own := copies[len(copies)-1]
	for _, l := range copies[:len(copies)-1] {
		if err := c.purge(ctx, l, 0); err != nil {
			return brokerError("forget the queue's retries", err)
		}
	}
	events, err := c.state(ctx) // copies made of what is delivered after the seek are younger
	if err != nil {
		return err
	}
	cfg := info.Config
	cfg.Metadata = c.metadata(q)
	cfg.Metadata[metaSeeks] = strconv.FormatUint(metaUint(info, metaSeeks)+1, 10)
	cfg.Metadata[metaDelivered] = strconv.FormatUint(metaUint(info, metaDelivered)+info.Delivered.Consumer, 10)
	if _, err := c.js.UpdateConsumer(ctx, c.names.events, cfg); err != nil {
		return brokerError("seek", err)
	}
	if _, err := c.js.ResetConsumerToSequence(ctx, c.names.events, name, start); err != nil {
		return brokerError("seek", err)
	}
	return brokerError("forget the queue's retries", c.purge(ctx, own, events.Last))
}

// startSeq is the sequence of the first message that a queue gets.
func (c *Client) startSeq(ctx context.Context, topics []string, from From) (uint64, error) {
	state, err := c.state(ctx)
	if err != nil {
		return 0, err
	}
	switch from.kind {
	case fromAfter:
		if from.pos.Epoch != "" && from.pos.Epoch != state.Epoch {
			return 1, nil // another life of the stream: from the oldest held
		}
		return min(from.pos.Seq, state.Last) + 1, nil
	case fromTime:
		first, err := c.find(ctx, question{Time: &from.time})
		if err != nil || first.seq > 0 {
			return first.seq, err
		}
	case fromLast:
		before, err := c.seqBeforeLast(ctx, topics, from.last, state)
		return before + 1, err
	case fromAll:
		return 1, nil
	}
	return state.Last + 1, nil
}

// stored is where messages of a queue lie.
type stored struct{ stream, subject string }

// copies are where a queue has messages of its own, in the order that they take.
func (c *Client) copies(queue string) []stored {
	return []stored{
		{c.names.later, c.names.retries(queue)},
		{c.names.later, c.names.due("q." + queue + ".>")},
		{c.names.events, c.names.queue(queue) + ">"},
	}
}

// purge removes what is stored there up to a sequence, or all of it.
func (c *Client) purge(ctx context.Context, l stored, until uint64) error {
	stream, err := c.js.Stream(ctx, l.stream)
	if err != nil {
		return fmt.Errorf("%s: %w", l.stream, err)
	}
	opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(l.subject)}
	if until > 0 {
		opts = append(opts, jetstream.WithPurgeSequence(until+1))
	}
	return stream.Purge(ctx, opts...)
}

// metaUint is a number in a queue's metadata, zero if it is not there.
func metaUint(info *jetstream.ConsumerInfo, key string) uint64 {
	n, err := strconv.ParseUint(info.Config.Metadata[key], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
