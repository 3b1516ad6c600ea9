package msgq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Delete removes one message for good: the broker overwrites it with noise, and no
// reader of this client gets it any more. Other clients forget what they have of it
// in memory when newer messages take its place. A queue that holds it already keeps its delivery.
// Errors: [ErrNotFound], [ErrUnavailable].
func (c *Client) Delete(ctx context.Context, seq uint64) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.events)
	if err != nil {
		return brokerError("delete", err)
	}
	notFound := fmt.Errorf("%w: no message has the sequence %d", ErrNotFound, seq)
	if seq == 0 {
		return notFound
	}
	msg, err := c.askLeader(ctx, c.names.events, question{Seq: seq})
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && !strings.HasPrefix(msg.Subject, c.names.topics) {
		return notFound // or a queue's own
	}
	if err != nil {
		return brokerError("delete", err)
	}
	err = stream.SecureDeleteMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) || errors.Is(err, jetstream.ErrMsgNotFound) {
		return notFound // somebody else was faster
	}
	if err != nil {
		return brokerError("delete", err)
	}
	c.tail.erase(seq)
	return nil
}

// erase forgets a message.
func (t *tail) erase(seq uint64) {
	t.chunks.drop()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring.erase(seq)
}

// erase takes one entry out. Readers may hold a part of its block, so it gets a new one.
func (r *ring) erase(seq uint64) {
	for i, b := range r.blocks {
		at := slices.IndexFunc(b.entries, func(e *entry) bool { return e.Seq == seq })
		if at < 0 {
			continue
		}
		size := b.entries[at].size()
		r.bytes -= size
		if len(b.entries) == 1 {
			r.blocks = slices.Delete(slices.Clone(r.blocks), i, i+1)
			return
		}
		r.blocks[i] = &block{entries: slices.Delete(slices.Clone(b.entries), at, at+1), bytes: b.bytes - size}
		return
	}
}
