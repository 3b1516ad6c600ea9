package msgqtest

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

var publishPromises = []promise{
	{"what was acknowledged is there for every client, unchanged", func(c *check) {
		want := msgq.Message{
			Topic: c.topic + ".a-b_C", ID: "id/!~", Headers: map[string]string{"k": "v", "text": "é 漢 : ,"},
			DataContentType: "image/png", Data: []byte("\x00\xff\r\n\r\n" + strings.Repeat("x", 100<<10)),
		}
		r := c.publish(want)
		got := c.read(c.live(c.connect(c.T), msgq.FromAll(), ""), want.ID)[0]
		if got.ID != want.ID || got.Topic != want.Topic || !maps.Equal(got.Headers, want.Headers) ||
			got.DataContentType != want.DataContentType || !bytes.Equal(got.Data, want.Data) {
			c.Errorf("got %s on %s with headers %v, %s, %d bytes", got.ID, got.Topic, got.Headers, got.DataContentType, len(got.Data))
		}
		if got.Seq != r.Seq || got.Seq == 0 || time.Since(got.Time).Abs() > time.Hour {
			c.Errorf("seq %d, time %s; the publisher was told seq %d", got.Seq, got.Time, r.Seq)
		}
	}},
	{"an id published again is a duplicate and stored once", func(c *check) {
		first := c.publish(c.message(0))
		again := c.publish(c.message(0))
		if first.Duplicate || !again.Duplicate || again.Seq != first.Seq {
			c.Errorf("first %+v, again %+v", first, again)
		}
		c.publish(c.message(1))
		c.wantRange(c.read(c.live(c.Client, msgq.FromAll(), ""), "1"), 0, 2)
	}},
	{"an id published by many at once is stored once", func(c *check) {
		const callers = 50
		other := c.connect(c.T)
		var wg sync.WaitGroup
		receipts := make(chan msgq.Receipt, callers)
		for i := range callers {
			client := []*msgq.Client{c.Client, other}[i%2]
			wg.Go(func() {
				r, err := client.Publish(Context(c), c.message(0))
				if err != nil {
					c.Errorf("publish: %v", err)
				}
				receipts <- r
			})
		}
		wg.Wait()
		close(receipts)
		fresh, seq := 0, uint64(0)
		for r := range receipts {
			if seq == 0 {
				seq = r.Seq
			}
			if !r.Duplicate {
				fresh++
			}
			if r.Seq != seq {
				c.Errorf("seqs %d and %d for one id", r.Seq, seq)
			}
		}
		if fresh != 1 {
			c.Errorf("%d of %d publishes were told that they were the first", fresh, callers)
		}
		c.publish(c.message(1))
		c.wantRange(c.read(c.live(c.Client, msgq.FromAll(), ""), "1"), 0, 2)
	}},
	{"an id with other data or content type is refused", func(c *check) {
		m := c.message(0)
		c.publish(m)
		data, kind := m, m
		data.Data, kind.DataContentType = []byte("other"), "text/plain"
		for name, changed := range map[string]msgq.Message{"data": data, "content type": kind} {
			if _, err := c.Publish(Context(c), changed); !errors.Is(err, msgq.ErrIDReused) {
				c.Errorf("other %s: error %v, want ErrIDReused", name, err)
			}
		}
	}},
	{"an id on another topic is another message", func(c *check) {
		first, m := c.publish(c.message(0)), c.message(0)
		m.Topic, m.Data = c.topic+".other", []byte("other")
		if r := c.publish(m); r.Duplicate || r.Seq == first.Seq {
			c.Errorf("first %+v, on another topic %+v", first, r)
		}
	}},
	{"of messages published at once each has its own seq and its own answer", func(c *check) {
		const callers, each = 64, 20
		var wg sync.WaitGroup
		var mu sync.Mutex
		bySeq := make(map[uint64]string)
		for i := range callers {
			wg.Go(func() {
				for j := range each {
					m := c.message(i*each + j)
					r, err := c.Publish(Context(c), m)
					if err != nil {
						c.Errorf("publish: %v", err)
						return
					}
					mu.Lock()
					bySeq[r.Seq] = m.ID
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		c.publish(msgq.Message{Topic: c.topic, ID: "end"})
		got := c.read(c.live(c.Client, msgq.FromAll(), ""), "end")
		if len(got) != callers*each+1 || len(bySeq) != callers*each {
			c.Errorf("%d messages stored and %d answered, want %d", len(got)-1, len(bySeq), callers*each)
		}
		for _, m := range got[:len(got)-1] {
			if bySeq[m.Seq] != m.ID || string(m.Data) != m.ID {
				c.Errorf("seq %d: id %s, data %s; the publisher of %q was given this seq", m.Seq, m.ID, m.Data, bySeq[m.Seq])
			}
		}
	}},
	{"a message is forgotten when its time to live is over, and not before", func(c *check) {
		start := time.Now()
		c.publish(c.message(0), msgq.WithTTL(time.Second))
		c.publish(msgq.Message{Topic: c.topic, ID: "end"})
		Eventually(c, "the message is forgotten", func() bool {
			return len(c.read(c.live(c.Client, msgq.FromAll(), ""), "end")) == 1
		})
		if gone := time.Since(start); gone < time.Second {
			c.Errorf("gone after %s", gone)
		}
	}},
	{"an id is one message, delayed or not, and stays taken when that is cancelled", func(c *check) {
		m, later := c.message(0), msgq.WithDelay(time.Hour)
		first := c.publish(m, later)
		for name, opts := range map[string][]msgq.PublishOption{"at once": nil, "delayed": {later}} {
			if r := c.publish(m, opts...); !r.Duplicate || !r.DeliverAt.Equal(first.DeliverAt) {
				c.Errorf("again, %s: %+v, want a duplicate of %+v", name, r, first)
			}
			other := m
			other.Data = []byte("other")
			if _, err := c.Publish(Context(c), other, opts...); !errors.Is(err, msgq.ErrIDReused) {
				c.Errorf("other data, %s: error %v, want ErrIDReused", name, err)
			}
		}
		if err := c.CancelDelayed(Context(c), m.Topic, m.ID); err != nil {
			c.Fatalf("cancel: %v", err)
		}
		if r, err := c.Publish(Context(c), m); !errors.Is(err, msgq.ErrIDReused) {
			c.Errorf("after the cancel %+v, error %v, want ErrIDReused", r, err)
		}
	}},
}
