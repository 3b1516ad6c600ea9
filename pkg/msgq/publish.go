package msgq

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Receipt tells where a message was stored.
type Receipt struct {
	ID, Topic string
	Seq       uint64
	// Duplicate: a message with this id and topic was stored before; Seq is that one's.
	Duplicate bool
}

// PublishOption changes one publish.
type PublishOption func(*publishOptions)

type publishOptions struct {
	ttl *time.Duration
}

// maxTTL bounds a time to live; the stream's own retention is shorter.
const maxTTL = 10 * 365 * 24 * time.Hour

// WithTTL forgets the message d after it was stored: 1 s to 10 years, in whole seconds (rounded up).
func WithTTL(d time.Duration) PublishOption {
	return func(o *publishOptions) { o.ttl = &d }
}

// Publish stores one message and returns once it is on the broker's disk.
// An answer takes at most 4 s, or as long as the deadline of ctx allows.
//
// Errors: [ErrInvalidTopic], [ErrInvalidID], [ErrInvalidHeader], [ErrInvalidTTL], [ErrTooLarge], [ErrIDReused],
// [ErrStreamFull], [ErrUnavailable]. After ErrUnavailable the message may or may not
// be stored; publishing it again with the same ID stores it once.
func (c *Client) Publish(ctx context.Context, m Message, opts ...PublishOption) (Receipt, error) {
	var o publishOptions
	for _, opt := range opts {
		opt(&o)
	}
	msg, err := c.prepare(&m, o)
	if err != nil {
		return Receipt{}, err
	}
	if c.nc.Status() != nats.CONNECTED {
		return Receipt{}, fmt.Errorf("publish: %w: not connected", ErrUnavailable)
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	ack, err := c.js.PublishMsg(ctx, msg)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		c.streams.look()
	}
	if err != nil {
		return Receipt{}, brokerError("publish", err)
	}
	if ack.Duplicate {
		if err := c.sameAsStored(ctx, &m, ack.Sequence); err != nil {
			return Receipt{}, err
		}
	}
	return Receipt{ID: m.ID, Topic: m.Topic, Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// prepare checks the message, fills in what is left out and makes what is stored.
func (c *Client) prepare(m *Message, o publishOptions) (*nats.Msg, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	if limit := c.MaxData(); limit > 0 && int64(len(m.Data)) > limit {
		return nil, fmt.Errorf("%w: %d bytes of data, at most %d are allowed", ErrTooLarge, len(m.Data), limit)
	}
	setDefault(&m.DataContentType, DefaultContentType)
	chosen := m.ID != ""
	setDefault(&m.ID, nuid.Next())
	msg := m.encode(c.names.topic(m.Topic))
	if chosen { // the broker remembers each id at 130 bytes of memory: only those that can come again
		msg.Header[nats.MsgIdHdr] = []string{brokerID(m.Topic, m.ID)}
	}
	if o.ttl != nil {
		if *o.ttl < time.Second || *o.ttl > maxTTL {
			return nil, fmt.Errorf("%w: %s, 1s to %s are allowed", ErrInvalidTTL, *o.ttl, maxTTL)
		}
		seconds := (*o.ttl + time.Second - 1) / time.Second
		msg.Header[jetstream.MsgTTLHeader] = []string{fmt.Sprintf("%ds", seconds)}
	}
	return msg, nil
}

// brokerID scopes a publisher's id to its topic: the broker's ids are one space per stream.
func brokerID(topic, id string) string {
	sum := sha256.Sum256([]byte(topic + "\x00" + id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameAsStored finds an id used again for other data. The broker compares ids only.
func (c *Client) sameAsStored(ctx context.Context, m *Message, seq uint64) error {
	stored, err := c.get(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // no longer held: a duplicate all the same
	}
	if err != nil {
		return brokerError("read the first message with this id", err)
	}
	if !bytes.Equal(stored.Data, m.Data) || stored.DataContentType != m.DataContentType {
		return fmt.Errorf("%w: message %d on topic %q has the id %q and other data", ErrIDReused, seq, m.Topic, m.ID)
	}
	return nil
}

func (c *Client) get(ctx context.Context, seq uint64) (*Message, error) {
	stream, err := c.js.Stream(ctx, c.names.events)
	if err != nil {
		return nil, err
	}
	raw, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return nil, err
	}
	return c.names.decode(raw.Subject, raw.Header, raw.Data, raw.Sequence, raw.Time), nil
}
