package msgqtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

var deadPromises = []promise{
	{"what always fails is one dead letter each, exactly, and the rest is handled", func(c *check) {
		const n, attempts = 60, 3
		c.open(func(q *msgq.Queue) {
			q.MaxAttempts, q.Backoff = attempts, msgq.Backoff{List: []time.Duration{10 * time.Millisecond}}
		})
		delivered := make(chan string, n*attempts+1)
		for _, client := range []*msgq.Client{c.Client, c.connect(c.T)} {
			c.handle(client, func(_ context.Context, d *msgq.Delivery) error {
				delivered <- fmt.Sprint(d.ID, " ", d.Attempt)
				number, _ := strconv.Atoi(d.ID)
				switch number % 6 {
				case 0:
					return fmt.Errorf("no %s", d.ID)
				case 1:
					panic("no " + d.ID)
				}
				return nil
			}, msgq.WithConcurrency(4))
		}
		receipts := c.publishN(0, n)
		dead := c.dead(n / 3)
		c.idle()
		for i, d := range dead {
			number := i/2*6 + i%2
			if d.ID != strconv.Itoa(number) || string(d.Data) != d.ID || d.Topic != c.topic || d.Seq != receipts[number].Seq ||
				d.Attempts != attempts || d.Queue != c.queue || d.DeadAt.IsZero() {
				c.Errorf("dead letter %d: %+v", i, d)
			}
			if number%6 == 0 && d.Reason != "no "+d.ID {
				c.Errorf("dead letter %s with reason %q", d.ID, d.Reason)
			}
		}
		seen := make(map[string]bool)
		for len(delivered) > 0 {
			delivery := <-delivered
			if seen[delivery] {
				c.Errorf("%s (id, attempt) was delivered twice", delivery)
			}
			seen[delivery] = true
		}
		if want := n/3*attempts + n - n/3; len(seen) != want {
			c.Errorf("%d deliveries, want %d", len(seen), want)
		}
	}},
	{"a permanent error is a dead letter at the first attempt", func(c *check) {
		c.open(nil)
		c.handle(c.Client, func(context.Context, *msgq.Delivery) error { return msgq.Permanent(errors.New("no such customer")) })
		c.publishN(0, 1)
		if d := c.dead(1)[0]; d.Attempts != 1 || d.Reason != "no such customer" {
			c.Errorf("dead letter %+v", d)
		}
		c.idle()
	}},
	{"what no member lives to settle is a dead letter too", func(c *check) {
		c.open(func(q *msgq.Queue) { q.MaxAttempts, q.AckWait = 2, 200*time.Millisecond })
		m := c.join(c.Client, 1)
		c.publishN(0, 1)
		for n := 1; n <= 2; n++ {
			if d := Receive(c, m.Deliveries(), "delivery"); d.Attempt != n {
				c.Errorf("attempt %d, want %d", d.Attempt, n)
			}
		}
		if d := c.dead(1)[0]; d.Attempts != 2 {
			c.Errorf("dead letter %+v", d)
		}
		c.idle()
	}},
	{"a redriven dead letter goes to its own queue and no other, with attempts from 1, and is dead but once", func(c *check) {
		const n = 4
		c.open(func(q *msgq.Queue) {
			q.MaxAttempts, q.Backoff = 2, msgq.Backoff{List: []time.Duration{10 * time.Millisecond}}
		})
		second := msgq.Queue{Name: c.queue + "-2", Topics: []string{c.topic}}
		other, err := c.Join(Context(c), second, 4*n)
		if err != nil {
			c.Fatal(err)
		}
		c.Cleanup(func() { _ = c.DeleteQueue(context.Background(), second.Name) })
		var mended atomic.Bool
		delivered := make(chan msgq.Delivery, 4*n)
		c.handle(c.Client, func(_ context.Context, d *msgq.Delivery) error {
			delivered <- *d
			if !mended.Load() || d.ID == "0" {
				return errors.New("not yet")
			}
			return nil
		})
		receipts := c.publishN(0, n)
		c.dead(n)
		for len(delivered) > 0 {
			<-delivered
		}
		live := c.live(c.Client, msgq.FromNew(), "")
		mended.Store(true)
		if done, err := c.Redrive(Context(c), c.queue, msgq.SelectAll()); err != nil || done != n {
			c.Fatalf("redrive: %d, %v; want %d", done, err, n)
		}
		for range n + 1 { // the one that fails twice
			d := Receive(c, delivered, "redriven message")
			id, _ := strconv.Atoi(d.ID)
			if d.ID != "0" && d.Attempt != 1 || d.Topic != c.topic || string(d.Data) != d.ID || d.Seq != receipts[id].Seq {
				c.Errorf("redriven: %s on %s, seq %d, attempt %d", d.ID, d.Topic, d.Seq, d.Attempt)
			}
		}
		if d := c.dead(1)[0]; d.ID != "0" || d.Attempts != 2 || d.Round != 1 {
			c.Errorf("dead again: %s, %d attempts, round %d", d.ID, d.Attempts, d.Round)
		}
		c.idle()
		c.publish(msgq.Message{Topic: c.topic, ID: "end"})
		if got := c.read(live, "end"); len(got) != 1 {
			c.Errorf("a live subscription saw the redrive: %v", ids(got))
		}
		for got := 0; ; got++ { // the other queue's messages are in the stream's order
			if d := Receive(c, other.Deliveries(), "delivery of the other queue"); d.ID == "end" {
				if got != n {
					c.Errorf("the other queue got %d messages, want %d", got, n)
				}
				return
			}
		}
	}},
	{"a discarded dead letter is gone, and the others stay", func(c *check) {
		c.open(nil)
		c.handle(c.Client, func(context.Context, *msgq.Delivery) error { return msgq.Permanent(errors.New("no")) })
		c.publishN(0, 3)
		second := c.dead(3)[1]
		if done, err := c.Discard(Context(c), c.queue, msgq.SelectSeqs(second.DeadSeq)); err != nil || done != 1 {
			c.Errorf("discard: %d, %v; want 1", done, err)
		}
		if left := c.dead(2); left[0].ID != "0" || left[1].ID != "2" {
			c.Errorf("left are %s and %s", left[0].ID, left[1].ID)
		}
	}},
}
