package msgq

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DelayedMessage is a message that waits for its time.
type DelayedMessage struct {
	// Message has no Seq yet; Time is when it was published.
	Message
	DeliverAt time.Time
}

// publishLater has the broker store the message when it is due. Once begun it goes on though the caller gives up, to its deadline.
func (c *Client) publishLater(caller context.Context, p prepared) (Receipt, error) {
	if err := caller.Err(); err != nil {
		return Receipt{}, brokerError("publish", err)
	}
	ctx, cancel := c.withTimeout(context.WithoutCancel(caller))
	defer cancel()
	if deadline, ok := caller.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	if p.msg.Header[nats.MsgIdHdr] == nil {
		return c.schedule(ctx, p, "")
	}
	place, err := c.placeOf(ctx, p.key) // one that waits longer than ids are remembered
	if err != nil {
		return Receipt{}, err
	}
	if place.waiting {
		return sameMessage(p, &place.Message, Receipt{DeliverAt: place.DeliverAt})
	}
	ack, err := c.publishPatiently(ctx, c.claim(p))
	if err != nil {
		return Receipt{}, brokerError("publish", err)
	}
	if ack.Duplicate {
		return c.first(ctx, p, ack.Sequence)
	}
	return c.schedule(ctx, p, scheduleID(p.msg.Header[nats.MsgIdHdr], ack.Sequence))
}

const headerCancelled = "Msgq-Cancelled"

// CancelDelayed removes a delayed message; one published with [WithIDScope] is
// named by the same option. Its id stays taken for the duplicate window: who repeats the publish gets [ErrIDReused].
// Errors: [ErrInvalidTopic], [ErrInvalidID], [ErrNotFound], [ErrUnavailable].
func (c *Client) CancelDelayed(ctx context.Context, topic, id string, opts ...PublishOption) error {
	if err := ValidateTopic(topic); err != nil {
		return err
	}
	if err := validateID(id); err != nil {
		return err
	}
	var o publishOptions
	for _, opt := range opts {
		opt(&o)
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	key := idKey(topic, id, o.scope)
	place, err := c.placeOf(ctx, key)
	if err != nil {
		return err
	}
	if !place.waiting {
		return fmt.Errorf("%w: no delayed message on topic %q has the id %q", ErrNotFound, topic, id)
	}
	// In one step with the removal, so that it is known that it was cancelled, and not due.
	tombstone := &nats.Msg{Subject: c.names.schedule(key), Header: nats.Header{
		jetstream.MsgRollup:    {jetstream.MsgRollupSubject},
		jetstream.MsgTTLHeader: {c.claimLife()},
		headerCancelled:        {"true"},
	}}
	_, err = c.publishPatiently(ctx, tombstone, jetstream.WithExpectLastSequencePerSubject(place.seq))
	if isTaken(err) {
		return fmt.Errorf("%w: the message is due by now", ErrNotFound)
	}
	return brokerError("cancel", err)
}

// place is where a delayed message waits, or waited until it was cancelled; zero if neither is known.
type place struct {
	DelayedMessage
	seq                uint64 // in the stream of later messages
	waiting, cancelled bool
}

func (c *Client) placeOf(ctx context.Context, key string) (place, error) {
	raw, err := c.askLeader(ctx, c.names.later, question{Last: c.names.schedule(key)})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return place{}, nil
	}
	if err != nil {
		return place{}, brokerError("look for the delayed message", err)
	}
	p := place{seq: raw.Sequence, cancelled: raw.Header[headerCancelled] != nil}
	p.DelayedMessage, p.waiting = c.names.decodeDelayed(raw)
	return p, nil
}

// Delayed goes through the delayed messages whose topic matches the pattern, in
// the order in which they were published: those there are when it begins. An error ends it.
func (c *Client) Delayed(ctx context.Context, pattern string) iter.Seq2[DelayedMessage, error] {
	return func(yield func(DelayedMessage, error) bool) {
		if err := ValidatePattern(pattern); err != nil {
			yield(DelayedMessage{}, err)
			return
		}
		for found, err := range c.pieces(ctx, stored{c.names.later, c.names.schedules()}, 0, 0, chunkMessages) {
			if err != nil {
				yield(DelayedMessage{}, err)
				return
			}
			for _, raw := range found {
				if d, ok := c.names.decodeDelayed(raw); ok && MatchTopic(pattern, d.Topic) && !yield(d, nil) {
					return
				}
			}
		}
	}
}

// decodeDelayed is false for what waits for a queue, or was cancelled.
func (n names) decodeDelayed(raw *jetstream.RawStreamMsg) (DelayedMessage, bool) {
	topic, ok := strings.CutPrefix(raw.Header.Get(jetstream.ScheduleTargetHeader), n.due("t."))
	m := n.decode(n.topic(topic), raw.Header, raw.Data, 0, raw.Time)
	at, _ := time.Parse("@at "+time.RFC3339Nano, raw.Header.Get(jetstream.ScheduleHeader)) // written by schedule
	return DelayedMessage{Message: *m, DeliverAt: at}, ok
}
