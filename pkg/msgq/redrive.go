package msgq

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Redrive sends dead letters to the queue that gave them up, and to no other, with
// attempts counted from 1 again, and returns how many the queue got by this call. Each is
// removed once the queue has it; one cut short in between can be repeated within
// [Config].DuplicateWindow without a second delivery, and is not counted again. Errors, with what was done until then: [ErrQueueNotFound],
// [ErrInvalidSelection], [ErrInvalidFilter], [ErrStreamFull], [ErrUnavailable], or that of ctx.
func (c *Client) Redrive(ctx context.Context, queue string, sel Selection) (int, error) {
	return c.clearDead(ctx, queue, sel, func(ctx context.Context, raw *jetstream.RawStreamMsg) (bool, error) {
		return c.redriveOne(ctx, queue, raw)
	})
}

func (c *Client) redriveOne(ctx context.Context, queue string, raw *jetstream.RawStreamMsg) (bool, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	ack, err := c.copier.store(ctx, c.names.redriven(queue, raw))
	return err == nil && !ack.Duplicate, brokerError("redrive", err)
}

// Discard removes dead letters for good and returns how many. One that is redriven at the same time may be
// removed here when the queue has it already: it is delivered, and counts for both. Errors: those of [Client.Redrive].
func (c *Client) Discard(ctx context.Context, queue string, sel Selection) (int, error) {
	return c.clearDead(ctx, queue, sel, nil)
}

// redriven is the copy for the queue. Its message id names this dead letter alone.
func (n names) redriven(queue string, raw *jetstream.RawStreamMsg) *nats.Msg {
	d := n.decodeDead(raw)
	msg := &nats.Msg{Subject: n.copy(queue) + d.Topic, Header: ownHeaders(raw.Header), Data: raw.Data}
	origin{seq: d.Seq, time: d.Time, round: d.Round + 1}.put(msg.Header)
	msg.Header[nats.MsgIdHdr] = []string{brokerID(raw.Subject, strconv.FormatInt(raw.Time.UnixNano(), 10))}
	return msg
}

// rescue is done with a dead letter before it is removed, and tells whether that counts: somebody
// else may have rescued it. Nil: nothing, and what was removed counts.
type rescue func(context.Context, *jetstream.RawStreamMsg) (bool, error)

// clearDead removes what is selected.
func (c *Client) clearDead(ctx context.Context, queue string, sel Selection, first rescue) (int, error) {
	if _, err := c.queueConsumer(ctx, queue); err != nil {
		return 0, err
	}
	until, err := c.lastSeq(ctx, c.names.dead) // what is redriven may die again meanwhile: that is not meant
	if err != nil {
		return 0, err
	}
	w := clearing{c: c, queue: queue, until: until, first: first, report: sel.report}
	switch {
	case sel.kind == selectSeqs && len(sel.seqs) > 0:
		err = w.each(ctx, sel.seqs, w.bySeq)
	case sel.kind == selectMessages && len(sel.seqs) > 0:
		err = w.each(ctx, sel.seqs, w.byMessage)
	case sel.kind == selectMatching && sel.filter != "": // without, it would be all
		err = w.matching(ctx, sel.filter)
	case sel.kind == selectAll:
		err = w.all(ctx)
	default:
		err = fmt.Errorf("%w: it is empty", ErrInvalidSelection)
	}
	return w.n, err
}

func (c *Client) lastSeq(ctx context.Context, stream string) (uint64, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return 0, brokerError("look at "+stream, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}
