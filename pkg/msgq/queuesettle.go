package msgq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Settlement is what became of a message that was pulled. The zero value is none, and refused.
type Settlement struct {
	settle func(context.Context, *Delivery) error
	reads  bool // needs the message itself
}

// Acked says that the message is done.
func Acked() Settlement {
	return Settlement{settle: func(ctx context.Context, d *Delivery) error { return d.AckSync(ctx) }}
}

// Nacked says that the attempt failed, as [Delivery.Nack] does.
func Nacked(reason string) Settlement {
	return Settlement{reads: true, settle: func(ctx context.Context, d *Delivery) error { return d.Nack(ctx, reason) }}
}

// NackedAfter is Nacked with a delay of its own, 0 to 24 h.
func NackedAfter(delay time.Duration, reason string) Settlement {
	return Settlement{reads: true, settle: func(ctx context.Context, d *Delivery) error { return d.NackAfter(ctx, delay, reason) }}
}

// Rejected makes the message a dead letter now.
func Rejected(reason string) Settlement {
	return Settlement{reads: true, settle: func(ctx context.Context, d *Delivery) error { return d.Reject(ctx, reason) }}
}

// Settle settles deliveries of [Client.Pull] by their tags, given by this process or any other, and returns once the broker has
// it: an error for each tag, nil where it is done. [ErrInvalidTag] is for a tag of no delivery of this queue, [ErrSettled] for
// one of before the queue was sought or made anew, or whose message is gone. A tag whose ack wait is over is
// settled as well as can be: its message may be with another worker. Errors of the whole: [ErrInvalidQueue], [ErrQueueNotFound],
// [ErrUnavailable].
func (c *Client) Settle(ctx context.Context, queue string, tags []string, s Settlement) ([]error, error) {
	if s.settle == nil {
		return nil, fmt.Errorf("%w: no settlement", ErrInvalidQueue)
	}
	holder, life, err := c.nobody(ctx, queue)
	if err != nil {
		return nil, err
	}
	w := &settler{c: c, holder: holder, life: life}
	errs := make([]error, len(tags))
	indexes := make([]int, len(tags))
	for i := range indexes {
		indexes[i] = i
	}
	_, err = parallel(ctx, indexes, func(ctx context.Context, i int) (bool, error) {
		errs[i] = w.settle(ctx, tags[i], s)
		return errs[i] == nil, nil
	})
	return errs, err
}

// settler settles deliveries of one queue by their tags.
type settler struct {
	c      *Client
	holder *Member
	life   string
}

func (w *settler) settle(ctx context.Context, text string, s Settlement) error {
	t, reply, err := w.c.names.parseTag(w.holder.Queue().Name, text)
	if err != nil {
		return err
	}
	if t.life != w.life {
		return ErrSettled
	}
	msg := &nats.Msg{Reply: t.reply}
	copied := reply.stream == w.c.names.later
	if copied && !s.reads && w.c.ackedTags.Contains(text) { // it may have been removed since
		return nil
	}
	if s.reads || copied { // the stream may be a new one, and the tag not know it
		if msg, err = w.read(ctx, t, reply); err != nil {
			return err
		}
	}
	d := w.holder.newDelivery(msg, reply, w.holder.clock())
	d.arrived = t.at.Sub(w.holder.born)
	if s.reads {
		d.open()
		if !w.holder.wants(d) {
			return fmt.Errorf("%w: its message is not of queue %q", ErrInvalidTag, w.holder.Queue().Name)
		}
	}
	d.tag = text
	return s.settle(ctx, d)
}

// read gets the message that was delivered. A tag made up by a client must not show it one of other topics.
func (w *settler) read(ctx context.Context, t tag, reply ackReply) (*nats.Msg, error) {
	raw, err := w.c.askLeader(ctx, reply.stream, question{Seq: reply.stored})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, ErrSettled // retention took it
	}
	if err != nil {
		return nil, brokerError("settle", err)
	}
	if q := w.holder.Queue(); !w.c.names.ofQueue(q, raw.Subject) || raw.Time.UnixNano() != reply.at {
		return nil, fmt.Errorf("%w: its message is not of queue %q", ErrInvalidTag, q.Name)
	}
	return &nats.Msg{Subject: raw.Subject, Reply: t.reply, Header: raw.Header, Data: raw.Data}, nil
}

// ofQueue reports whether a queue gets what is stored on the subject.
func (n names) ofQueue(q Queue, subject string) bool {
	topic, published := strings.CutPrefix(subject, n.topics)
	if !published {
		return strings.HasPrefix(subject, n.copy(q.Name)) || strings.HasPrefix(subject, n.queue(q.Name))
	}
	return slices.ContainsFunc(q.Topics, func(pattern string) bool { return MatchTopic(pattern, topic) })
}
