package msgq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// probeQueue is a queue that cannot exist: its name has a character that none may have.
const probeQueue = "$probe"

// Probe stores a message that no reader gets and that is forgotten after a
// second, so that a caller who saw a storage error learns when messages are
// stored again. Errors: [ErrStreamFull], [ErrUnavailable].
func (c *Client) Probe(ctx context.Context) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	msg := &nats.Msg{Subject: c.names.queue(probeQueue) + "probe", Header: nats.Header{jetstream.MsgTTLHeader: {time.Second.String()}}}
	_, err := c.js.PublishMsg(ctx, msg)
	return brokerError("probe", err)
}

// CanPublish asks whether the broker takes messages from this client, and
// stores none. A broker that denies a publish says so to nobody: the answer
// stays away, and the error is [ErrUnavailable] once ctx, or 4 s, are over.
func (c *Client) CanPublish(ctx context.Context) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	_, err := c.publisher.probe(ctx, &nats.Msg{Subject: c.names.topic("probe"), Header: nats.Header{nats.MsgIdHdr: {nats.NewInbox()}}})
	if err == nil {
		return fmt.Errorf("probe: %w: it was taken for a duplicate", ErrUnavailable)
	}
	if errors.Is(err, errNotStored) {
		return nil
	}
	return brokerError("probe", err)
}
