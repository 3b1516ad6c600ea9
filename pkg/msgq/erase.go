package msgq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Delete removes one message for good, and with it the dead letters and the waiting retries that queues
// have of it: the broker overwrites them with noise. No reader of this client gets it any more; other clients
// are told at once, and one that was cut off from the broker forgets what it has in memory when it is back. On a
// cluster, a replica that lags may have it given out for 5 s more.
// What a queue gave to a member stays there, and so do retries that are due and redriven dead letters: those lie in
// the queue, and if they fail again are dead letters again. Errors: [ErrNotFound], [ErrUnavailable]; after the
// latter repeat it until it says [ErrNotFound].
func (c *Client) Delete(ctx context.Context, seq uint64) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	notFound := fmt.Errorf("%w: no message has the sequence %d", ErrNotFound, seq)
	msg, err := c.askLeader(ctx, c.names.events, question{Seq: seq})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		if seq <= c.streams.current().Last { // perhaps it was deleted by a call that got no answer
			c.erased(ctx, seq)
		}
		return notFound
	case err != nil:
		return brokerError("delete", err)
	case !strings.HasPrefix(msg.Subject, c.names.topics):
		return notFound // a queue's own
	}
	if err := c.deleteCopies(ctx, msg); err != nil { // first: without the message they are not found again
		return err
	}
	removed, err := c.overwrite(ctx, c.names.events, seq)
	if err != nil {
		return err
	}
	if !removed {
		return notFound // somebody else was faster
	}
	c.erased(ctx, seq)
	return nil
}

// deleteCopies removes what queues keep of a message.
func (c *Client) deleteCopies(ctx context.Context, msg *jetstream.RawStreamMsg) error {
	if err := c.deleteCopiesOn(ctx, c.names.dead, c.names.deadOf(msg.Sequence), msg.Time); err != nil {
		return err
	}
	return c.deleteCopiesOn(ctx, c.names.later, c.names.retriesOf(msg.Sequence), msg.Time)
}

// deleteCopiesOn leaves those of a message of another time: it had the sequence in another life of the stream.
func (c *Client) deleteCopiesOn(ctx context.Context, stream, subject string, stored time.Time) error {
	for next := uint64(1); ; {
		found, err := c.readOn(ctx, stream, subject, next, 0, chunkMessages)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, raw := range found {
			next = raw.Sequence + 1
			if cmp.Or(raw.Header.Get(headerDeadTime), raw.Header.Get(headerRetryTime)) != formatTime(stored) {
				continue
			}
			if _, err := c.overwrite(ctx, stream, raw.Sequence); err != nil {
				return err
			}
		}
	}
}

// overwrite is false where the message is gone already.
func (c *Client) overwrite(ctx context.Context, stream string, seq uint64) (bool, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return false, brokerError("delete", err)
	}
	err = s.SecureDeleteMsg(ctx, seq)
	if isDeleted(err) {
		return false, nil
	}
	return err == nil, brokerError("delete", err)
}

// isDeleted tells of a deletion that somebody else was faster.
func isDeleted(err error) bool {
	return errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) || errors.Is(err, jetstream.ErrMsgNotFound)
}
