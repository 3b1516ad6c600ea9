package msgq

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Receipt tells where a message was stored.
type Receipt struct {
	ID, Topic string
	// Seq is its sequence; 0 for a delayed message, which gets one when it is due.
	Seq uint64
	// DeliverAt is when a delayed message is due, else zero.
	DeliverAt time.Time
	// Duplicate: a message with this id and topic was stored before; Seq and DeliverAt are that one's.
	Duplicate bool
}

// Publish stores one message and returns once it is on the broker's disk.
// An answer takes at most 4 s, less where ctx ends before; where the
// connection is lost it is ErrUnavailable at once.
// Concurrent calls share the broker's syncs to disk.
//
// Errors: [ErrInvalidTopic], [ErrInvalidID], [ErrInvalidHeader], [ErrInvalidTTL], [ErrInvalidDelay], [ErrTooLarge],
// [ErrIDReused], [ErrStreamFull], [ErrUnavailable], [ErrClosed], and that of ctx where the
// caller ended it. After ErrUnavailable the message may or may not be stored; publishing it again with the same ID stores it once.
func (c *Client) Publish(ctx context.Context, m Message, opts ...PublishOption) (Receipt, error) {
	p, err := c.prepare(m, opts)
	if err != nil {
		return Receipt{}, err
	}
	if c.ctx.Err() != nil {
		return Receipt{}, fmt.Errorf("publish: %w", ErrClosed)
	}
	if c.nc.Status() != nats.CONNECTED {
		return Receipt{}, fmt.Errorf("publish: %w", errNotConnected)
	}
	if !p.at.IsZero() {
		return c.publishLater(ctx, p)
	}
	ack, err := c.publisher.store(ctx, p.msg)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		c.streams.look()
	}
	if err != nil {
		return Receipt{}, brokerError("publish", err)
	}
	return c.receipt(ctx, p, ack)
}

// receipt makes sure that a duplicate is one.
func (c *Client) receipt(ctx context.Context, p prepared, ack *jetstream.PubAck) (Receipt, error) {
	if ack.Duplicate {
		return c.first(ctx, p, ack.Sequence)
	}
	return Receipt{ID: messageID(p.msg.Header), Topic: p.Topic, Seq: ack.Sequence}, nil
}

// prepared is a message that was checked, and what is stored of it.
type prepared struct {
	Message
	msg *nats.Msg
	key string    // of its id, in its scope; empty: it gets one when it is sent
	at  time.Time // when it is due; zero: now
}

// prepare checks the message, fills in what is left out and makes what is stored.
func (c *Client) prepare(m Message, opts []PublishOption) (prepared, error) {
	var o publishOptions
	for _, opt := range opts {
		opt(&o)
	}
	if err := m.validate(); err != nil {
		return prepared{}, err
	}
	if limit := c.MaxData(); limit > 0 && int64(len(m.Data)) > limit {
		return prepared{}, fmt.Errorf("%w: %d bytes of data, at most %d are allowed", ErrTooLarge, len(m.Data), limit)
	}
	at, err := o.due(time.Now())
	if err != nil {
		return prepared{}, err
	}
	m.DataContentType = strings.TrimSpace(m.DataContentType)
	setDefault(&m.DataContentType, DefaultContentType)
	chosen := m.ID != ""
	if !at.IsZero() {
		setDefault(&m.ID, nuid.Next()) // by which it can be cancelled
	}
	p := prepared{Message: m, msg: m.encode(c.names.topic(m.Topic)), at: at}
	if m.ID != "" {
		p.key = idKey(m.Topic, m.ID, o.scope)
	}
	if chosen { // the broker remembers each id at 130 bytes of memory: only those that can come again
		p.msg.Header[nats.MsgIdHdr] = []string{brokerID(p.key)}
	}
	if o.ttl == nil {
		return p, nil
	}
	if *o.ttl < time.Second || *o.ttl > maxTTL {
		return p, fmt.Errorf("%w: %s, 1s to %s are allowed", ErrInvalidTTL, *o.ttl, maxTTL)
	}
	p.msg.Header[jetstream.MsgTTLHeader] = []string{fmt.Sprintf("%ds", (*o.ttl+time.Second-1)/time.Second)}
	return p, nil
}

// brokerID keeps the scopes of ids apart: the broker's ids are one space per stream.
func brokerID(key ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
