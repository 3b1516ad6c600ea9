package msgq

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Delivery is one attempt at a queue's message. Settle it once: with Ack,
// Nack or Reject, within the queue's ack wait. It is safe for concurrent use.
type Delivery struct {
	*Message
	// Attempt counts deliveries of this message to the queue, from 1.
	Attempt int

	member *Member
	msg    *nats.Msg

	mu      sync.Mutex
	settled bool
	expiry  *time.Timer
}

func (m *Member) newDelivery(msg *nats.Msg) (*Delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	message := m.c.names.decode(msg.Subject, msg.Header, msg.Data, meta.Sequence.Stream, meta.Timestamp)
	return &Delivery{Message: message, Attempt: int(meta.NumDelivered), member: m, msg: msg}, nil
}

// start starts the ack wait.
func (d *Delivery) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expiry = time.AfterFunc(d.member.Queue().AckWait, func() {
		if d.settle() { // the broker gives it to another member now
			d.member.forget(d)
		}
	})
}

// Settled reports whether it is too late to settle it.
func (d *Delivery) Settled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settled
}

// settle is true for the first caller.
func (d *Delivery) settle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.settled {
		return false
	}
	d.settled = true
	d.expiry.Stop()
	return true
}

// Ack says that the message is done. It does not wait for the broker: an
// acknowledgement lost with the connection means that the message comes again.
func (d *Delivery) Ack() error {
	return d.finish(func() error { return d.msg.Ack() })
}

// AckSync is Ack that returns once the broker has it.
func (d *Delivery) AckSync(ctx context.Context) error {
	ctx, cancel := d.member.c.withTimeout(ctx)
	defer cancel()
	return d.finish(func() error { return d.msg.AckSync(nats.Context(ctx)) })
}

// Nack says that the attempt failed: the message comes again after the queue's
// backoff, or becomes a dead letter with this reason if that was the last
// attempt. Returns once the broker has it.
func (d *Delivery) Nack(ctx context.Context, reason string) error {
	return d.NackAfter(ctx, d.member.Queue().Backoff.Delay(d.Attempt), reason)
}

// NackAfter is Nack with a delay of its own, 0 to 24 h.
func (d *Delivery) NackAfter(ctx context.Context, delay time.Duration, reason string) error {
	if delay < 0 || delay > maxBackoff {
		return fmt.Errorf("%w: delay %s, 0 to %s are allowed", ErrInvalidQueue, delay, maxBackoff)
	}
	if d.Attempt >= d.member.Queue().MaxAttempts {
		return d.Reject(ctx, reason)
	}
	ctx, cancel := d.member.c.withTimeout(ctx)
	defer cancel()
	return d.finish(func() error { return d.msg.NakWithDelay(delay, nats.Context(ctx)) })
}

// Reject makes the message a dead letter now. Returns once the broker has it.
func (d *Delivery) Reject(ctx context.Context, reason string) error {
	ctx, cancel := d.member.c.withTimeout(ctx)
	defer cancel()
	return d.finish(func() error {
		if err := d.member.c.storeDeadLetter(ctx, d, reason); err != nil {
			return err
		}
		return d.msg.AckSync(nats.Context(ctx))
	})
}

// Progress starts the ack wait over. Does not wait for the broker.
func (d *Delivery) Progress() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.settled {
		return ErrSettled
	}
	if err := d.msg.InProgress(); err != nil {
		return brokerError("progress", err)
	}
	d.expiry.Reset(d.member.Queue().AckWait)
	return nil
}

// finish settles the delivery by act. Where act fails the broker still has the
// message out, and gives it to another member when the ack wait is over.
func (d *Delivery) finish(act func() error) error {
	if !d.settle() {
		return ErrSettled
	}
	defer d.member.forget(d)
	return brokerError("settle", act())
}

// giveBack hands the message to other members at once.
func (d *Delivery) giveBack() {
	if d.settle() {
		d.member.c.settled(d.msg.Nak())
	}
}
