package msgq

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// DeadLetter is a message that a queue gave up on.
type DeadLetter struct {
	// Message as published, with the Seq and Time it had in the stream.
	Message
	// DeadSeq is the dead letter's own sequence.
	DeadSeq uint64
	Queue   string
	// Attempts is how often it was delivered.
	Attempts int
	Reason   string
	// DeadAt is when the queue gave up.
	DeadAt time.Time
}

// Headers of a dead letter, beside those of its message.
const (
	headerDeadTopic    = "Msgq-Dead-Topic"
	headerDeadSeq      = "Msgq-Dead-Seq"
	headerDeadTime     = "Msgq-Dead-Time"
	headerDeadQueue    = "Msgq-Dead-Queue"
	headerDeadAttempts = "Msgq-Dead-Attempts"
	headerDeadReason   = "Msgq-Dead-Reason"
)

const maxReason = 1024 // bytes

// storeDeadLetter writes the dead letter, once however often it is called.
func (c *Client) storeDeadLetter(ctx context.Context, d *Delivery, reason string) error {
	h := make(nats.Header, len(d.msg.Header)+6)
	for key, values := range d.msg.Header {
		if !strings.HasPrefix(key, "Nats-") { // those act on the broker
			h[key] = values
		}
	}
	h[headerDeadTopic] = []string{d.Topic}
	h[headerDeadSeq] = []string{strconv.FormatUint(d.Seq, 10)}
	h[headerDeadTime] = []string{d.Time.Format(time.RFC3339Nano)}
	h[headerDeadQueue] = []string{d.member.Queue().Name}
	h[headerDeadAttempts] = []string{strconv.Itoa(min(d.Attempt, d.member.Queue().MaxAttempts))}
	h[headerDeadReason] = []string{cleanReason(reason)}
	msg := &nats.Msg{Subject: c.names.deadLetter(d.member.Queue().Name, d.Seq, 0), Header: h, Data: d.Data}
	_, err := c.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0))
	if code := apiCode(err); code == codeWrongLastSequence || code == codeWrongLastSeqConst {
		return nil // written before, by an attempt whose acknowledgement was lost
	}
	if err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	c.cfg.Logger.Warn("message dead-lettered", "queue", d.member.Queue().Name, "topic", d.Topic, "seq", d.Seq, "attempts", d.Attempt)
	return nil
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

// DeadLetters goes through the queue's dead letters, oldest first. An error ends it.
func (c *Client) DeadLetters(ctx context.Context, queue string) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for next := uint64(1); ; {
			found, err := c.deadLetterChunk(ctx, queue, next)
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			for _, d := range found {
				if !yield(d, nil) {
					return
				}
				next = d.DeadSeq + 1
			}
			if len(found) == 0 {
				return
			}
		}
	}
}

func (c *Client) deadLetterChunk(ctx context.Context, queue string, from uint64) ([]DeadLetter, error) {
	if err := ValidateQueueName(queue); err != nil {
		return nil, err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	batch, err := jetstreamext.GetBatch(ctx, c.js, c.names.dead, chunkMessages, jetstreamext.GetBatchSeq(from),
		jetstreamext.GetBatchSubject(c.names.deadLetters(queue)), jetstreamext.GetBatchMaxBytes(chunkBytes))
	if err != nil {
		return nil, brokerError("read dead letters", err)
	}
	var found []DeadLetter
	for raw, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, nil
		}
		if err != nil {
			return nil, brokerError("read dead letters", err)
		}
		found = append(found, c.names.decodeDead(raw))
	}
	return found, brokerError("read dead letters", ctx.Err())
}

func (n names) decodeDead(raw *jetstream.RawStreamMsg) DeadLetter {
	h := raw.Header
	m := n.decode(raw.Subject, h, raw.Data, 0, time.Time{})
	m.Topic = h.Get(headerDeadTopic)
	m.Seq, _ = strconv.ParseUint(h.Get(headerDeadSeq), 10, 64) // written by storeDeadLetter
	m.Time, _ = time.Parse(time.RFC3339Nano, h.Get(headerDeadTime))
	attempts, _ := strconv.Atoi(h.Get(headerDeadAttempts))
	return DeadLetter{
		Message: *m, DeadSeq: raw.Sequence, Queue: h.Get(headerDeadQueue), Attempts: attempts,
		Reason: h.Get(headerDeadReason), DeadAt: raw.Time,
	}
}

// countDead counts dead letters by queue.
func (c *Client) countDead(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.dead)
	if err != nil {
		return nil, brokerError("count dead letters", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(c.names.prefix+".d.>"))
	if err != nil {
		return nil, brokerError("count dead letters", err)
	}
	counts := make(map[string]uint64)
	for subject, n := range info.State.Subjects {
		counts[strings.Split(subject, ".")[2]] += n
	}
	return counts, nil
}
