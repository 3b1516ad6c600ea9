package msgq

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The broker remembers ids for each stream on its own. So a delayed message with a chosen id leaves a claim among the events
// before it is scheduled, and one id is one message, whether the first was delayed or not. A claim alone shows
// no message: its publisher may have died, or the broker, before it was scheduled.
const (
	claimQueue      = "$claim" // no queue can have this name, so nobody reads it
	claimSlack      = time.Minute
	headerDeliverAt = "Msgq-Deliver-At"
	headerDigest    = "Msgq-Digest"
	headerScheduled = "Msgq-Scheduled" // on the message itself: for which claim
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

// scheduleID is the broker's id of what was scheduled for the claim at seq.
func scheduleID(claim []string, seq uint64) string {
	return brokerID(claim[0], strconv.FormatUint(seq, 10))
}

// first is the receipt of the message that had the id before; the broker says that it, or its claim, is at seq.
func (c *Client) first(ctx context.Context, p prepared, seq uint64) (Receipt, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	raw, err := c.askLeader(ctx, c.names.events, question{Seq: seq})
	gone := errors.Is(err, jetstream.ErrMsgNotFound)
	if err != nil && !gone {
		return Receipt{}, brokerError("read the first message with this id", err)
	}
	if !gone && raw.Header[headerDigest] == nil {
		stored := c.names.decode(raw.Subject, raw.Header, raw.Data, raw.Sequence, raw.Time)
		return sameMessage(p, stored, Receipt{Seq: seq})
	}
	place, err := c.placeOf(ctx, p.key)
	switch {
	case err != nil:
		return Receipt{}, err
	case place.waiting:
		return sameMessage(p, &place.Message, Receipt{DeliverAt: place.DeliverAt})
	case place.cancelled:
		return Receipt{}, fmt.Errorf("%w: the delayed message on topic %q with the id %q was cancelled; "+
			"its id can be used again after the duplicate window", ErrIDReused, p.Topic, p.ID)
	case gone: // no longer held: a duplicate all the same
		return Receipt{ID: p.ID, Topic: p.Topic, Seq: seq, Duplicate: true}, nil
	case raw.Header.Get(headerDigest) != digest(&p.Message):
		return Receipt{}, errOtherData(p)
	}
	return c.claimed(ctx, p, raw)
}

// claimed is the receipt of a message that was claimed and does not wait: it was due; or nobody scheduled it, and now it is.
func (c *Client) claimed(ctx context.Context, p prepared, claim *jetstream.RawStreamMsg) (Receipt, error) {
	r := Receipt{ID: p.ID, Topic: p.Topic, DeliverAt: parseTime(claim.Header.Get(headerDeliverAt)), Duplicate: true}
	id := scheduleID(claim.Header[nats.MsgIdHdr], claim.Sequence)
	_, err := c.publisher.probe(ctx, &nats.Msg{Subject: c.names.schedule(p.key), Header: nats.Header{nats.MsgIdHdr: {id}}})
	if !errors.Is(err, errNotStored) {
		return r, brokerError("publish", err)
	}
	// A broker that was restarted has forgotten the ids of what was due.
	if came, err := c.cameDue(ctx, p.Topic, id, r.DeliverAt); came || err != nil {
		return r, err
	}
	p.at = r.DeliverAt
	return c.schedule(ctx, p, id)
}

// cameDue looks for the message where it goes when it is due.
func (c *Client) cameDue(ctx context.Context, topic, id string, at time.Time) (bool, error) {
	if at.After(time.Now()) {
		return false, nil
	}
	start, err := c.find(ctx, question{Time: &at})
	if err != nil {
		return false, err
	}
	for _, place := range []struct {
		stored
		from uint64
	}{
		{stored{c.names.later, c.names.due("t." + topic)}, 1},
		{stored{c.names.events, c.names.topic(topic)}, start.seq},
	} {
		for next := place.from; next > 0; {
			found, err := c.readOn(ctx, place.stream, place.subject, next, 0, chunkMessages)
			if err != nil {
				return false, err
			}
			next = 0
			for _, raw := range found {
				if raw.Header.Get(headerScheduled) == id {
					return true, nil
				}
				next = raw.Sequence + 1
			}
		}
	}
	return false, nil
}

// sameMessage finds an id used again for other data; the broker compares ids only. Else it completes the receipt.
func sameMessage(p prepared, first *Message, r Receipt) (Receipt, error) {
	if !bytes.Equal(first.Data, p.Data) || first.DataContentType != p.DataContentType {
		return Receipt{}, errOtherData(p)
	}
	r.ID, r.Topic, r.Duplicate = p.ID, p.Topic, true
	return r, nil
}

func errOtherData(p prepared) error {
	return fmt.Errorf("%w: a message on topic %q has the id %q and other data", ErrIDReused, p.Topic, p.ID)
}
