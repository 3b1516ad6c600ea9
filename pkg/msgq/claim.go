package msgq

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The broker remembers ids for each stream on its own. So a delayed message with a chosen id leaves a claim among
// the events, and one id is one message, whether the first was delayed or not. Where that one was cancelled, its id
// is free again: the next message takes an id of the broker that is made of the claim's, and so on.
const (
	claimQueue      = "$claim" // no queue can have this name, so nobody reads it
	claimSlack      = time.Minute
	headerDeliverAt = "Msgq-Deliver-At"
	headerDigest    = "Msgq-Digest"
)

// claimLife outlasts what the broker remembers.
func (c *Client) claimLife() string {
	return (max(c.cfg.DuplicateWindow, c.streams.current().DuplicateWindow) + claimSlack).Round(time.Second).String()
}

// claim is what the events keep of a delayed message.
func (c *Client) claim(p prepared) *nats.Msg {
	return &nats.Msg{Subject: c.names.queue(claimQueue) + p.Topic, Header: nats.Header{
		nats.MsgIdHdr:          p.msg.Header[nats.MsgIdHdr],
		jetstream.MsgTTLHeader: {c.claimLife()},
		headerDeliverAt:        {formatTime(p.at)},
		headerDigest:           {digest(&p.Message)},
	}}
}

func digest(m *Message) string {
	sum := sha256.Sum256([]byte(m.DataContentType + "\x00" + string(m.Data)))
	return hex.EncodeToString(sum[:])
}

// receipt of a message whose id was, or was not, stored before.
func (c *Client) receipt(ctx context.Context, p prepared, ack *jetstream.PubAck) (Receipt, error) {
	for ack.Duplicate {
		first, free, err := c.first(ctx, p, ack.Sequence)
		if err != nil || !free {
			return first, err
		}
		record := p.msg
		if !p.at.IsZero() {
			record = c.claim(p)
		}
		if ack, err = c.publishPatiently(ctx, record); err != nil {
			return Receipt{}, brokerError("publish", err)
		}
	}
	if !p.at.IsZero() {
		return c.schedule(ctx, p)
	}
	return Receipt{ID: messageID(p.msg.Header), Topic: p.Topic, Seq: ack.Sequence}, nil
}

// first is the receipt of the message that had the id before, which the broker says is at seq. Or the id
// is free, because that one was cancelled: then p has the broker's next id for it.
func (c *Client) first(ctx context.Context, p prepared, seq uint64) (r Receipt, free bool, err error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for {
		raw, err := c.askLeader(ctx, c.names.events, question{Seq: seq})
		if errors.Is(err, jetstream.ErrMsgNotFound) { // no longer held: a duplicate all the same
			return Receipt{ID: p.ID, Topic: p.Topic, Seq: seq, Duplicate: true}, false, nil
		}
		if err != nil {
			return Receipt{}, false, brokerError("read the first message with this id", err)
		}
		if raw.Header[headerDigest] == nil {
			r, err = c.sameMessage(p, raw)
			return r, false, err
		}
		// Messages behind a claim that was cancelled come first.
		next := []string{brokerID(raw.Header.Get(nats.MsgIdHdr))}
		ack, err := c.publisher.probe(ctx, &nats.Msg{Subject: raw.Subject, Header: nats.Header{nats.MsgIdHdr: next}})
		switch {
		case err == nil:
			seq = ack.Sequence
			continue
		case !errors.Is(err, errNotStored):
			return Receipt{}, false, brokerError("publish", err)
		}
		r, free, err = c.claimed(ctx, p, raw.Header)
		if free {
			p.msg.Header[nats.MsgIdHdr] = next
		}
		return r, free, err
	}
}

// sameMessage finds an id used again for other data. The broker compares ids only.
func (c *Client) sameMessage(p prepared, raw *jetstream.RawStreamMsg) (Receipt, error) {
	stored := c.names.decode(raw.Subject, raw.Header, raw.Data, raw.Sequence, raw.Time)
	if !bytes.Equal(stored.Data, p.Data) || stored.DataContentType != p.DataContentType {
		return Receipt{}, fmt.Errorf("%w: message %d on topic %q has the id %q and other data", ErrIDReused, raw.Sequence, p.Topic, p.ID)
	}
	return Receipt{ID: p.ID, Topic: p.Topic, Seq: raw.Sequence, Duplicate: true}, nil
}

// claimed is the receipt of the delayed message that left the claim. It waits, is due by now, or was cancelled; or
// its publisher died before it was scheduled: then it is now.
func (c *Client) claimed(ctx context.Context, p prepared, claim nats.Header) (r Receipt, free bool, err error) {
	place, err := c.placeOf(ctx, p.key)
	if err != nil {
		return Receipt{}, false, err
	}
	if place.cancelled != "" && place.cancelled == claim.Get(nats.MsgIdHdr) {
		return Receipt{}, true, nil
	}
	if place.waiting {
		r, err = sameDelayed(p, place.DelayedMessage)
		return r, false, err
	}
	if claim.Get(headerDigest) != digest(&p.Message) {
		return Receipt{}, false, errOtherDelayed(p)
	}
	at := parseTime(claim.Get(headerDeliverAt))
	r = Receipt{ID: p.ID, Topic: p.Topic, DeliverAt: at}
	if at.After(time.Now()) {
		p.msg.Header[nats.MsgIdHdr] = claim[nats.MsgIdHdr]
		p.at = at
		r, err = c.schedule(ctx, p)
	}
	r.Duplicate = true
	return r, false, err
}

// sameDelayed is sameMessage for one that waits.
func sameDelayed(p prepared, first DelayedMessage) (Receipt, error) {
	if !bytes.Equal(first.Data, p.Data) || first.DataContentType != p.DataContentType {
		return Receipt{}, errOtherDelayed(p)
	}
	return Receipt{ID: p.ID, Topic: p.Topic, DeliverAt: first.DeliverAt, Duplicate: true}, nil
}

func errOtherDelayed(p prepared) error {
	return fmt.Errorf("%w: a delayed message on topic %q has the id %q and other data", ErrIDReused, p.Topic, p.ID)
}
