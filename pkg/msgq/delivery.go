package msgq

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Delivery is one attempt at a queue's message. Settle it once: with Ack,
// Nack or Reject, within the queue's ack wait. It is safe for concurrent use.
type Delivery struct {
	// Message as published: its Seq and Time stay the same over all attempts.
	*Message
	// Attempt counts deliveries of this message to the queue, from 1; after a redrive from 1 again.
	Attempt int

	member *Member
	msg    *nats.Msg
	reply  ackReply // tells about what is stored: the message, or a copy of it
	copied *origin  // of a copy, else nil
	tag    string   // that a client settles it by; empty for a member's

	came     time.Duration // on the member's clock
	arrived  time.Duration // the same, of the first delivery that the member saw
	place    atomic.Uint64 // among all that was put into the member's channel; none of those that wait for one
	lapsed   bool          // its time to live was over when it came
	taken    bool          // out of the channel, and begun; the keeper's
	waits    atomic.Bool   // between Hold and Begin
	deadline atomic.Int64  // on the member's clock: when the ack wait is over
	settled  atomic.Bool
}

// isCopy reports whether it came from the consumer of copies.
func (d *Delivery) isCopy() bool { return d.reply.stream == d.member.c.names.later }

func (m *Member) newDelivery(msg *nats.Msg, reply ackReply, now time.Duration) *Delivery {
	d := &Delivery{Attempt: reply.delivered, member: m, msg: msg, reply: reply, copied: originOf(msg.Header), came: now, arrived: now}
	if d.copied != nil {
		d.Attempt += d.copied.attempts
	}
	d.restart(now)
	return d
}

// open decodes the message, once. A copy looks like the message it stands for.
func (d *Delivery) open() {
	if d.Message != nil {
		return
	}
	d.Message = d.member.c.names.decode(d.msg.Subject, d.msg.Header, d.msg.Data, d.reply.stored, d.reply.time())
	if o := d.copied; o != nil {
		d.Seq, d.Time, d.expires = o.seq, o.time, o.expires
	}
}

// restart starts the ack wait here as the broker does.
func (d *Delivery) restart(now time.Duration) {
	d.deadline.Store(int64(now + d.member.queue.Load().AckWait))
}

// left is what remains of the ack wait.
func (d *Delivery) left(now time.Duration) time.Duration {
	return time.Duration(d.deadline.Load()) - now
}

// Hold puts the ack wait off until [Delivery.Begin]: for a message that has been taken but
// waits still, as in the buffer of a connection. The broker is told meanwhile that it is worked on.
func (d *Delivery) Hold() { d.waits.Store(true) }

// Begin has the ack wait begin now. Without Hold before, it does nothing.
func (d *Delivery) Begin() { d.waits.Store(false) }

// Settled reports whether it is too late to settle it.
func (d *Delivery) Settled() bool { return d.late(d.member.clock()) }

func (d *Delivery) late(now time.Duration) bool { return d.settled.Load() || d.left(now) <= 0 }

// settle is true for the first caller within the ack wait.
func (d *Delivery) settle(now time.Duration) bool {
	return d.left(now) > 0 && d.settled.CompareAndSwap(false, true)
}

// Ack says that the message is done. It does not wait for the broker: an
// acknowledgement lost with the connection means that the message comes again.
func (d *Delivery) Ack() error { return d.ack(d.member.clock()) }

func (d *Delivery) ack(now time.Duration) error {
	if !d.settle(now) {
		return ErrSettled
	}
	err := d.tell(ackDone)
	d.member.forget(d)
	d.acknowledged(err)
	return brokerError("settle", err)
}

// acknowledged counts what was acknowledged without an error, once: a client may repeat a tag whose answer it missed.
func (d *Delivery) acknowledged(err error) {
	if err != nil {
		return
	}
	if d.lapsed {
		d.expired()
		return
	}
	if d.Message != nil && d.copied == nil && !d.expires.IsZero() && time.Now().After(d.expires) {
		return // the broker told of it when it was taken
	}
	if d.tag != "" {
		if counted, _ := d.member.c.ackedTags.ContainsOrAdd(d.tag, struct{}{}); counted {
			return
		}
	}
	d.member.acks.Load().n.Add(1)
}

// expired counts a copy whose message's time to live is over: the broker took the message, and knows of no copy.
func (d *Delivery) expired() {
	d.member.c.counts.of(d.member.Queue().Name, countExpired).n.Add(1)
}

// AckSync is Ack that returns once the broker has it.
func (d *Delivery) AckSync(ctx context.Context) error {
	return d.finish(ctx, func(ctx context.Context) error {
		err := d.ask(ctx, ackDone)
		d.acknowledged(err)
		return err
	})
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
	q := d.member.Queue()
	if d.Attempt >= q.MaxAttempts {
		return d.Reject(ctx, reason)
	}
	return d.finish(ctx, func(ctx context.Context) error {
		if delay > min(q.AckWait, maxHeldRetry) {
			return d.retryLater(ctx, q.Name, delay)
		}
		d.member.failed(d)
		return d.ask(ctx, nakAfter(delay))
	})
}

// Reject makes the message a dead letter now. Returns once the broker has it.
func (d *Delivery) Reject(ctx context.Context, reason string) error {
	return d.finish(ctx, func(ctx context.Context) error {
		if err := d.member.c.storeDeadLetter(ctx, d, reason); err != nil {
			return err
		}
		return d.ask(ctx, ackDone)
	})
}

// Progress starts the ack wait over. Does not wait for the broker.
func (d *Delivery) Progress() error {
	now := d.member.clock() // before the broker's
	if d.late(now) {
		return ErrSettled
	}
	if err := d.tell(ackProgress); err != nil {
		return brokerError("progress", err)
	}
	d.restart(now)
	return nil
}

// finish settles the delivery by act. Where act fails the broker still has the
// message out, and gives it to another member when the ack wait is over.
func (d *Delivery) finish(ctx context.Context, act func(context.Context) error) error {
	if !d.settle(d.member.clock()) {
		return ErrSettled
	}
	defer d.member.forget(d)
	ctx, cancel := d.member.c.withTimeout(ctx)
	defer cancel()
	return brokerError("settle", act(ctx))
}

// giveBack hands the message to other members at once.
func (d *Delivery) giveBack() {
	if d.settle(d.member.clock()) {
		d.member.failed(d)
		d.member.c.settled(d.tell(nakAfter(0)))
		d.member.forget(d)
	}
}

// What JetStream understands as the answer to a delivery.
var (
	ackDone     = []byte("+ACK")
	ackProgress = []byte("+WPI")
)

func nakAfter(delay time.Duration) []byte {
	if delay == 0 {
		return []byte("-NAK")
	}
	return []byte(`-NAK {"delay": ` + strconv.FormatInt(delay.Nanoseconds(), 10) + "}")
}

// tell answers the broker, ask also waits until it has the answer.
func (d *Delivery) tell(answer []byte) error { return d.member.c.nc.Publish(d.msg.Reply, answer) }

func (d *Delivery) ask(ctx context.Context, answer []byte) error {
	_, err := d.member.c.nc.RequestWithContext(ctx, d.msg.Reply, answer)
	return err
}
