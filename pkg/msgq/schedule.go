package msgq

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errAlreadyScheduled is returned where something waits under this key already,
// or a message with the same Nats-Msg-Id has waited within the duplicate window.
var errAlreadyScheduled = errors.New("already scheduled")

// scheduled is a message that the broker shall store later.
type scheduled struct {
	key    string    // names it: one at a time waits under a key
	target string    // subject without the streams' prefix: t.<topic> or q.<queue>.<topic>
	at     time.Time // never early, about 250 ms late: the broker looks four times a second
	msg    *nats.Msg // headers and data
}

// schedule writes s to the stream of later messages. Errors: [ErrUnavailable], errAlreadyScheduled.
func (c *Client) schedule(ctx context.Context, s scheduled) error {
	msg := &nats.Msg{Subject: c.names.schedule(s.key), Header: maps.Clone(s.msg.Header), Data: s.msg.Data}
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	// The option of nats.go cuts the time to whole seconds, and would so fire early.
	msg.Header[jetstream.ScheduleHeader] = []string{"@at " + s.at.UTC().Format(time.RFC3339Nano)}
	msg.Header[jetstream.ScheduleTargetHeader] = []string{c.names.due(s.target)}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	// Another message on the subject would replace the first without an error.
	ack, err := c.publishPatiently(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0))
	if isTaken(err) || err == nil && ack.Duplicate {
		return fmt.Errorf("schedule: %w", errAlreadyScheduled)
	}
	return brokerError("schedule", err)
}

// schedule is the subject that something waits on under a key.
func (n names) schedule(key string) string {
	sum := sha256.Sum256([]byte(key))
	return n.prefix + ".l.s." + hex.EncodeToString(sum[:])
}

func (n names) schedules() string { return n.prefix + ".l.s.>" }

// due is the subject on which the broker puts what is due. The stream of events takes it from there.
func (n names) due(target string) string { return n.prefix + ".l.due." + target }
