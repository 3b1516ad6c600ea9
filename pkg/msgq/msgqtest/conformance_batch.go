package msgqtest

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// batch is the messages from up to and without to.
func (c *check) batch(from, to int) []msgq.BatchItem {
	var items []msgq.BatchItem
	for n := from; n < to; n++ {
		items = append(items, msgq.BatchItem{Message: c.message(n)})
	}
	return items
}

var batchPromises = []promise{
	{"a batch is stored in its order, with an answer for each message", func(c *check) {
		const n = 2500 // more than the broker takes at once
		c.publishN(0, 1)
		results := c.PublishBatch(Context(c), append(c.batch(0, n), msgq.BatchItem{Message: msgq.Message{Topic: "a b"}}))
		if !errors.Is(results[n].Err, msgq.ErrInvalidTopic) {
			c.Errorf("wrong item: error %v, want ErrInvalidTopic", results[n].Err)
		}
		got := c.read(c.live(c.Client, msgq.FromAll(), ""), strconv.Itoa(n-1))
		c.wantRange(got, 0, n)
		for i, r := range results[:n] {
			if r.Err != nil || r.Seq != got[i].Seq || r.ID != got[i].ID || r.Duplicate != (i == 0) {
				c.Fatalf("result %d: %+v; stored at %d", i, r, got[i].Seq)
			}
		}
	}},
	{"an atomic batch is stored as a whole or not at all", func(c *check) {
		c.publishN(0, 1)
		reused := c.batch(0, 3)
		reused[0].Data = []byte("other")
		if _, err := c.PublishAtomic(Context(c), reused); !errors.Is(err, msgq.ErrIDReused) {
			c.Errorf("with an id used for other data: error %v, want ErrIDReused", err)
		}
		large := c.batch(1, 3)
		large[1].Data = make([]byte, c.MaxData()+1)
		if _, err := c.PublishAtomic(Context(c), large); !errors.Is(err, msgq.ErrTooLarge) {
			c.Errorf("with a message too large: error %v, want ErrTooLarge", err)
		}
		c.publish(msgq.Message{Topic: c.topic, ID: "end"})
		if got := ids(c.read(c.live(c.Client, msgq.FromAll(), ""), "end")); !slices.Equal(got, []string{"0", "end"}) {
			c.Errorf("stored of refused batches: %v", got)
		}
		receipts, err := c.PublishAtomic(Context(c), c.batch(0, 50))
		if err != nil {
			c.Fatal(err)
		}
		for i, r := range receipts {
			if r.Duplicate != (i == 0) || i > 1 && r.Seq != receipts[i-1].Seq+1 {
				c.Errorf("receipt %d: %+v", i, r)
			}
		}
	}},
}

var delayPromises = []promise{
	{"a delayed message comes when it is due, never early, and once", func(c *check) {
		live := c.live(c.Client, msgq.FromNew(), "")
		due := time.Now().Add(1300 * time.Millisecond)
		r := c.publish(c.message(0), msgq.WithDeliverAt(due))
		if again := c.publish(c.message(0), msgq.WithDeliverAt(due)); r.Duplicate || !again.Duplicate || !again.DeliverAt.Equal(r.DeliverAt) {
			c.Errorf("published %+v, and again %+v", r, again)
		}
		c.wantRange(c.read(live, "0"), 0, 1)
		if late := time.Since(due); late < 0 || late > 2*time.Second { // promised are 500 ms, on a machine with nothing else to do
			c.Errorf("it came %s after it was due", late)
		}
		c.publish(c.message(1))
		c.wantRange(c.read(live, "1"), 1, 2)
	}},
	{"a delayed id published by many at once is one message", func(c *check) {
		const callers = 8
		firsts := make(chan bool, callers)
		for range callers {
			go func() {
				r, err := c.Publish(Context(c), c.message(0), msgq.WithDelay(time.Hour))
				if err != nil {
					c.Errorf("publish: %v", err)
				}
				firsts <- err == nil && !r.Duplicate
			}()
		}
		n := 0
		for range callers {
			if Receive(c, firsts, "answer") {
				n++
			}
		}
		if n != 1 {
			c.Errorf("%d publishes were told that they were the first", n)
		}
		if err := c.CancelDelayed(Context(c), c.topic, "0"); err != nil {
			c.Error(err)
		}
	}},
	{"a delayed message that is cancelled does not come", func(c *check) {
		live := c.live(c.Client, msgq.FromNew(), "")
		c.publish(c.message(0), msgq.WithDelay(time.Second))
		c.publish(c.message(1), msgq.WithDelay(1100*time.Millisecond))
		if err := c.CancelDelayed(Context(c), c.topic, "0"); err != nil {
			c.Error(err)
		}
		Eventually(c, "the other one alone is listed", func() bool {
			var waiting []string
			for d, err := range c.Delayed(Context(c), c.topic) {
				if err != nil {
					c.Fatal(err)
				}
				waiting = append(waiting, d.ID)
			}
			return slices.Equal(waiting, []string{"1"}) // a replica that lags may show the cancelled one for a moment
		})
		c.wantRange(c.read(live, "1"), 1, 2)
		if err := c.CancelDelayed(Context(c), c.topic, "0"); !errors.Is(err, msgq.ErrNotFound) {
			c.Errorf("cancelled again: error %v, want ErrNotFound", err)
		}
	}},
}
