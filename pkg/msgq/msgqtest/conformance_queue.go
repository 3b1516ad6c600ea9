package msgqtest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

var queuePromises = []promise{
	{"each message of a queue goes to one member and is handled", func(c *check) {
		const n = 300
		c.open(nil)
		handled := make(chan string, 2*n)
		for _, client := range []*msgq.Client{c.Client, c.connect(c.T)} {
			c.handle(client, func(_ context.Context, d *msgq.Delivery) error {
				handled <- d.ID
				return nil
			}, msgq.WithConcurrency(8))
		}
		c.publishN(0, n)
		seen := make(map[string]bool)
		for range n {
			id := Receive(c, handled, "message")
			if seen[id] {
				c.Errorf("message %s was handled twice", id)
			}
			seen[id] = true
		}
		c.idle()
		if len(handled) > 0 {
			c.Errorf("%d messages more than were published", len(handled))
		}
	}},
	{"a queue keeps what is published while it has no member", func(c *check) {
		c.open(nil)
		c.publishN(0, 50)
		m := c.join(c.connect(c.T), 10)
		for n := range 50 {
			d := Receive(c, m.Deliveries(), "delivery")
			if d.ID != strconv.Itoa(n) || d.Attempt != 1 {
				c.Errorf("delivery %d is %s, attempt %d", n, d.ID, d.Attempt)
			}
			if err := d.Ack(); err != nil {
				c.Error(err)
			}
		}
		c.idle()
	}},
	{"what a member leaves behind goes to another at once", func(c *check) {
		c.open(func(q *msgq.Queue) { q.AckWait = time.Hour })
		first := c.join(c.Client, 1)
		c.publishN(0, 1)
		Receive(c, first.Deliveries(), "delivery")
		second := c.join(c.connect(c.T), 1)
		first.Leave()
		d := Receive(c, second.Deliveries(), "delivery to the other member")
		if d.ID != "0" || d.Attempt != 2 {
			c.Errorf("delivery %s, attempt %d", d.ID, d.Attempt)
		}
		if err := d.AckSync(Context(c)); err != nil {
			c.Error(err)
		}
		c.idle()
	}},
	{"what is not settled in time comes again, and an acknowledged message never", func(c *check) {
		c.open(func(q *msgq.Queue) { q.AckWait = 200 * time.Millisecond })
		m := c.join(c.Client, 2)
		c.publishN(0, 2)
		for _, d := range []*msgq.Delivery{Receive(c, m.Deliveries(), "first"), Receive(c, m.Deliveries(), "second")} {
			if d.ID == "0" {
				if err := d.AckSync(Context(c)); err != nil {
					c.Error(err)
				}
			}
		}
		d := Receive(c, m.Deliveries(), "redelivery")
		if d.ID != "1" || d.Attempt != 2 {
			c.Errorf("delivery %s, attempt %d; want 1, attempt 2", d.ID, d.Attempt)
		}
		if err := d.AckSync(Context(c)); err != nil {
			c.Error(err)
		}
		c.idle()
	}},
	{"attempts are counted from 1 and waited for as the backoff says", func(c *check) {
		waits := []time.Duration{50 * time.Millisecond, 150 * time.Millisecond}
		c.open(func(q *msgq.Queue) { q.MaxAttempts, q.Backoff = 10, msgq.Backoff{List: waits} })
		type attempt struct {
			n  int
			at time.Time
		}
		attempts := make(chan attempt, 10)
		c.handle(c.Client, func(_ context.Context, d *msgq.Delivery) error {
			attempts <- attempt{d.Attempt, time.Now()}
			if d.Attempt <= len(waits) {
				return errors.New("not yet")
			}
			return nil
		})
		c.publishN(0, 1)
		last := Receive(c, attempts, "attempt")
		for i, wait := range waits {
			a := Receive(c, attempts, "attempt")
			if a.n != i+2 || a.at.Sub(last.at) < wait {
				c.Errorf("attempt %d came after %s; want %d, after at least %s", a.n, a.at.Sub(last.at), i+2, wait)
			}
			last = a
		}
		c.idle()
		if len(attempts) > 0 {
			c.Error("an acknowledged message came again")
		}
	}},
	{"a queue's filter hides what does not match", func(c *check) {
		c.open(func(q *msgq.Queue) { q.Filter = `headers["kind"] == "job"` })
		m := c.join(c.Client, 1)
		for n := range 20 {
			message := c.message(n)
			message.Headers = map[string]string{"kind": []string{"job", "note", "note", "note"}[n%4]}
			c.publish(message)
		}
		for n := 0; n < 20; n += 4 {
			d := Receive(c, m.Deliveries(), "delivery")
			if d.ID != strconv.Itoa(n) {
				c.Errorf("delivery %s, want %d", d.ID, n)
			}
			if err := d.Ack(); err != nil {
				c.Error(err)
			}
		}
		c.idle()
	}},
	{"a queue is read by members that agree on what it is", func(c *check) {
		q := c.open(nil)
		q.Topics = []string{c.topic + ".other"}
		if _, err := c.Join(Context(c), q, 1); !errors.Is(err, msgq.ErrQueueMismatch) {
			c.Errorf("other topics: error %v, want ErrQueueMismatch", err)
		}
	}},
}
