package msgq

import (
	"context"
	"maps"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// schedule has the broker store p when it is due: never early, and about 250 ms
// late, because the broker looks four times a second. id, if not empty, is one that the broker takes once.
func (c *Client) schedule(ctx context.Context, p prepared, id string) (Receipt, error) {
	msg := &nats.Msg{Subject: c.names.schedule(p.key), Header: maps.Clone(p.msg.Header), Data: p.Data}
	delete(msg.Header, nats.MsgIdHdr)
	if id != "" {
		msg.Header[nats.MsgIdHdr], msg.Header[headerScheduled] = []string{id}, []string{id}
	}
	leaveBatch(msg)
	// The option of nats.go cuts the time to whole seconds, and would so fire early.
	msg.Header[jetstream.ScheduleHeader] = []string{"@at " + formatTime(p.at)}
	msg.Header[jetstream.ScheduleTargetHeader] = []string{c.names.due("t." + p.Topic)}
	if ttl, ok := msg.Header[jetstream.MsgTTLHeader]; ok {
		msg.Header[jetstream.ScheduleTTLHeader] = ttl // counts from when it is due
		delete(msg.Header, jetstream.MsgTTLHeader)
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for over := uint64(0); ; {
		// Another message on the subject would replace the first without an error.
		ack, err := c.publishPatiently(ctx, msg, jetstream.WithExpectLastSequencePerSubject(over))
		if err == nil {
			return Receipt{ID: p.ID, Topic: p.Topic, DeliverAt: p.at, Duplicate: ack.Duplicate}, nil
		}
		if !isTaken(err) {
			return Receipt{}, brokerError("schedule", err)
		}
		place, err := c.placeOf(ctx, p.key)
		if err != nil {
			return Receipt{}, err
		}
		if place.waiting {
			return sameMessage(p, &place.Message, Receipt{DeliverAt: place.DeliverAt})
		}
		over = place.seq // what was cancelled
	}
}
