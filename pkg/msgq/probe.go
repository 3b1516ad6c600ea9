package msgq

import (
	"context"
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
