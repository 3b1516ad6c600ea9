package msgq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// DelayedMessage is a message that waits for its time.
type DelayedMessage struct {
	// Message has no Seq yet; Time is when it was published.
	Message
	DeliverAt time.Time
}

// publishLater has the broker store the message when it is due.
func (c *Client) publishLater(ctx context.Context, p prepared) (Receipt, error) {
	r := Receipt{ID: p.ID, Topic: p.Topic, DeliverAt: p.at}
	err := c.schedule(ctx, scheduled{key: p.key, target: "t." + p.Topic, at: p.at, msg: p.msg})
	if !errors.Is(err, errAlreadyScheduled) {
		return r, err
	}
	r.Duplicate = true
	first, _, err := c.delayed(ctx, p.key)
	if errors.Is(err, ErrNotFound) {
		return r, nil // it was due, or was cancelled, within the duplicate window
	}
	if err != nil {
		return Receipt{}, err
	}
	if !bytes.Equal(first.Data, p.Data) || first.DataContentType != p.DataContentType {
		return Receipt{}, fmt.Errorf("%w: a delayed message on topic %q has the id %q and other data", ErrIDReused, p.Topic, p.ID)
	}
	r.DeliverAt = first.DeliverAt
	return r, nil
}

// CancelDelayed removes a delayed message; one published with [WithIDScope] is
// named by the same option. Its id stays taken for the duplicate window.
// Errors: [ErrNotFound], [ErrUnavailable].
func (c *Client) CancelDelayed(ctx context.Context, topic, id string, opts ...PublishOption) error {
	if err := ValidateTopic(topic); err != nil {
		return err
	}
	var o publishOptions
	for _, opt := range opts {
		opt(&o)
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	_, seq, err := c.delayed(ctx, idKey(topic, id, o.scope))
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: no delayed message on topic %q has the id %q", ErrNotFound, topic, id)
	}
	if err != nil {
		return err
	}
	stream, err := c.js.Stream(ctx, c.names.later)
	if err != nil {
		return brokerError("cancel", err)
	}
	err = stream.DeleteMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) || errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("%w: the message is due by now", ErrNotFound)
	}
	return brokerError("cancel", err)
}

// delayed finds what waits, and its place in the stream of later messages.
func (c *Client) delayed(ctx context.Context, key string) (DelayedMessage, uint64, error) {
	raw, err := c.askLeader(ctx, c.names.later, question{Last: c.names.schedule(key)})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DelayedMessage{}, 0, ErrNotFound
	}
	if err != nil {
		return DelayedMessage{}, 0, brokerError("look for the delayed message", err)
	}
	d, _ := c.names.decodeDelayed(raw)
	return d, raw.Sequence, nil
}

// Delayed goes through the delayed messages whose topic matches the pattern, in
// the order in which they were published. An error ends it.
func (c *Client) Delayed(ctx context.Context, pattern string) iter.Seq2[DelayedMessage, error] {
	return func(yield func(DelayedMessage, error) bool) {
		if err := ValidatePattern(pattern); err != nil {
			yield(DelayedMessage{}, err)
			return
		}
		for next := uint64(1); ; {
			found, err := c.readOn(ctx, c.names.later, c.names.schedules(), next, 0, chunkMessages)
			if err != nil {
				yield(DelayedMessage{}, err)
			}
			if len(found) == 0 {
				return
			}
			for _, raw := range found {
				if d, ok := c.names.decodeDelayed(raw); ok && MatchTopic(pattern, d.Topic) && !yield(d, nil) {
					return
				}
			}
			next = found[len(found)-1].Sequence + 1
		}
	}
}

// decodeDelayed is false for what waits for a queue.
func (n names) decodeDelayed(raw *jetstream.RawStreamMsg) (DelayedMessage, bool) {
	topic, ok := strings.CutPrefix(raw.Header.Get(jetstream.ScheduleTargetHeader), n.due("t."))
	m := n.decode(n.topic(topic), raw.Header, raw.Data, 0, raw.Time)
	at, _ := time.Parse("@at "+time.RFC3339Nano, raw.Header.Get(jetstream.ScheduleHeader)) // written by schedule
	return DelayedMessage{Message: *m, DeliverAt: at}, ok
}
