package msgq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DeadLetter is a message that a queue gave up on.
type DeadLetter struct {
	// Message as published, with the Seq and Time it had in the stream.
	Message
	// DeadSeq is the dead letter's own sequence: what [SelectSeqs] and [DeadAfter] mean.
	DeadSeq uint64
	Queue   string
	// Attempts is how often it was delivered since it was published or redriven.
	Attempts int
	// Round is how often it had been redriven before.
	Round  int
	Reason string
	// FirstAt is the first delivery. Where that was to a member of another process,
	// it can be the first one to the process that gave up.
	FirstAt time.Time
	// DeadAt is when the queue gave up.
	DeadAt time.Time
}

// Headers of a dead letter, beside those of its message.
const (
	headerDeadPrefix   = "Msgq-Dead-"
	headerDeadTopic    = headerDeadPrefix + "Topic"
	headerDeadSeq      = headerDeadPrefix + "Seq"
	headerDeadTime     = headerDeadPrefix + "Time"
	headerDeadQueue    = headerDeadPrefix + "Queue"
	headerDeadAttempts = headerDeadPrefix + "Attempts"
	headerDeadRound    = headerDeadPrefix + "Round"
	headerDeadReason   = headerDeadPrefix + "Reason"
	headerDeadFirst    = headerDeadPrefix + "First"
)

const maxReason = 1024 // bytes

// storeDeadLetter writes the dead letter, once however often it is called: the
// broker may have the message out still, and give it to others again.
func (c *Client) storeDeadLetter(ctx context.Context, d *Delivery, reason string) error {
	q, o := d.member.Queue(), d.origin()
	h := ownHeaders(d.msg.Header)
	h[headerDeadTopic] = []string{d.Topic}
	h[headerDeadSeq] = []string{strconv.FormatUint(o.seq, 10)}
	h[headerDeadTime] = []string{formatTime(o.time)}
	h[headerDeadQueue] = []string{q.Name}
	h[headerDeadAttempts] = []string{strconv.Itoa(min(d.Attempt, q.MaxAttempts))}
	h[headerDeadReason] = []string{cleanReason(reason)}
	h[headerDeadFirst] = []string{formatTime(o.first)}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for round := o.round; ; {
		h[headerDeadRound] = []string{strconv.Itoa(round)}
		msg := &nats.Msg{Subject: c.names.deadLetter(q.Name, o.seq, round), Header: h, Data: d.Data}
		_, err := c.publishPatiently(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0))
		if err == nil {
			c.cfg.Logger.Warn("message dead-lettered", "queue", q.Name, "topic", d.Topic, "seq", o.seq, "attempts", d.Attempt)
			return nil
		}
		if !isTaken(err) {
			return fmt.Errorf("dead letter: %w", err)
		}
		same, err := c.sameDeadLetter(ctx, msg)
		if same || err != nil {
			return err
		}
		round++ // another life of the stream had a message of this sequence
	}
}

// sameDeadLetter reports whether the dead letter on msg's subject is of the same
// message: written before, by an attempt whose acknowledgement was lost.
func (c *Client) sameDeadLetter(ctx context.Context, msg *nats.Msg) (bool, error) {
	there, err := c.askLeader(ctx, c.names.dead, question{Last: msg.Subject})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil // written, and redriven or discarded since
	}
	if err != nil {
		return false, fmt.Errorf("dead letter: %w", err)
	}
	return there.Header.Get(headerDeadTime) == msg.Header.Get(headerDeadTime), nil
}

// cleanReason makes text fit a header line.
func cleanReason(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") // without half a character at the cut
	}
	return strings.TrimSpace(s)
}

func (n names) decodeDead(raw *jetstream.RawStreamMsg) DeadLetter {
	h := raw.Header
	m := n.decode(raw.Subject, h, raw.Data, 0, time.Time{})
	m.Topic = h.Get(headerDeadTopic)
	m.Seq, _ = strconv.ParseUint(h.Get(headerDeadSeq), 10, 64) // written by storeDeadLetter
	m.Time = parseTime(h.Get(headerDeadTime))
	return DeadLetter{
		Message: *m, DeadSeq: raw.Sequence, Queue: h.Get(headerDeadQueue), Reason: h.Get(headerDeadReason),
		Attempts: parseInt(h.Get(headerDeadAttempts)), Round: parseInt(h.Get(headerDeadRound)),
		FirstAt: parseTime(h.Get(headerDeadFirst)), DeadAt: raw.Time,
	}
}
