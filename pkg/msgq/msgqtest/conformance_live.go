package msgqtest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

var livePromises = []promise{
	{"a live subscription sees every message in order, each once, while they are published", func(c *check) {
		const callers, each = 8, 50
		subs := []*msgq.LiveSubscription{c.live(c.Client, msgq.FromNew(), ""), c.live(c.connect(c.T), msgq.FromNew(), "")}
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for j := range each {
					m := c.message(i*each + j)
					if _, err := c.Publish(Context(c), m); err != nil {
						c.Errorf("publish: %v", err)
					}
				}
			})
		}
		wg.Wait()
		c.publish(msgq.Message{Topic: c.topic, ID: "end"})
		for _, sub := range subs {
			got := c.read(sub, "end")
			if len(got) != callers*each+1 {
				c.Fatalf("%d messages, want %d", len(got)-1, callers*each)
			}
			for i, m := range got[1:] {
				if m.Seq <= got[i].Seq {
					c.Errorf("seq %d came behind %d", m.Seq, got[i].Seq)
				}
			}
		}
	}},
	{"a reader that resumes behind its last position has no gap and no repeat", func(c *check) {
		const n = 300
		c.publishN(0, n)
		var got []*msgq.Message
		from := msgq.FromAll()
		for len(got) < n { // each life reads some messages, in another client
			sub := c.live(c.connect(c.T), from, "")
			if !sub.Recovered() {
				c.Errorf("not recovered behind %d messages", len(got))
			}
			messages := c.read(sub, strconv.Itoa(min(len(got)+77, n)-1))
			got = append(got, messages...)
			from = msgq.After(msgq.Position{Seq: got[len(got)-1].Seq, Epoch: sub.Position().Epoch})
		}
		c.wantRange(got, 0, n)
	}},
	{"a position at the end waits, and repeats nothing", func(c *check) {
		last := c.publishN(0, 3)[2]
		sub := c.live(c.Client, msgq.After(msgq.Position{Seq: last.Seq, Epoch: c.Epoch()}), "")
		c.publishN(3, 5)
		c.wantRange(c.read(sub, "4"), 3, 5)
	}},
	{"a position of another epoch is told so and goes on from the oldest message held", func(c *check) {
		last := c.publishN(0, 3)[2]
		sub := c.live(c.Client, msgq.After(msgq.Position{Seq: last.Seq, Epoch: "another"}), "")
		if sub.Recovered() {
			c.Error("recovered from another epoch")
		}
		c.wantRange(c.read(sub, "2"), 0, 3)
	}},
	{"all clients agree on the epoch", func(c *check) {
		if a, b := c.Epoch(), c.connect(c.T).Epoch(); a == "" || a != b {
			c.Errorf("epochs %q and %q", a, b)
		}
	}},
	{"a filter passes what matches and nothing else, from history and live", func(c *check) {
		const filter = `data.n > 2 && headers["region"] == "eu" && topic.endsWith(".in")`
		live := c.live(c.Client, msgq.FromNew(), filter)
		var want []string
		for n := range 40 {
			topic, region := []string{".in", ".out"}[n/2%2], []string{"eu", "us"}[n%2]
			m := msgq.Message{
				Topic: c.topic + topic, ID: strconv.Itoa(n), Headers: map[string]string{"region": region},
				DataContentType: "application/json", Data: fmt.Appendf(nil, `{"n":%d.5}`, n%5),
			}
			if n%4 == 0 && n%5 >= 2 {
				want = append(want, m.ID)
			}
			c.publish(m)
		}
		// Data that is no object, or lacks the field, does not match and ends nothing.
		c.publish(msgq.Message{Topic: c.topic + ".in", ID: "text", DataContentType: "application/json", Data: []byte(`"n"`)})
		c.publish(msgq.Message{
			Topic: c.topic + ".in", ID: "end", Headers: map[string]string{"region": "eu"},
			DataContentType: "application/json", Data: []byte(`{"n":3}`),
		})
		for name, sub := range map[string]*msgq.LiveSubscription{"live": live, "history": c.live(c.connect(c.T), msgq.FromAll(), filter)} {
			if got := ids(c.read(sub, "end")); fmt.Sprint(got) != fmt.Sprint(append(want, "end")) {
				c.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
	}},
	{"a pattern passes its topics and nothing else", func(c *check) {
		for i, topic := range []string{"a", "a.b", "a.b.c", "b"} {
			c.publish(msgq.Message{Topic: c.topic + "." + topic, ID: strconv.Itoa(i)})
		}
		for _, topic := range []string{"a", "b"} {
			c.publish(msgq.Message{Topic: c.topic + "." + topic + ".end", ID: "end"})
		}
		for pattern, want := range map[string][]string{".a.>": {"1", "2", "end"}, ".a.*": {"1", "end"}, ".>": {"0", "1", "2", "3", "end"}} {
			sub, err := c.Live(Context(c), msgq.Live{Topics: []string{c.topic + pattern}, From: msgq.FromAll()})
			if err != nil {
				c.Fatal(err)
			}
			if got := ids(c.read(sub, "end")); fmt.Sprint(got) != fmt.Sprint(want) {
				c.Errorf("%s: got %v, want %v", pattern, got, want)
			}
		}
	}},
	{"a slow reader loses nothing and holds nobody up", func(c *check) {
		const n = 300 // 3 MB: more than a small tail holds
		slow, fast := c.live(c.Client, msgq.FromNew(), ""), c.live(c.Client, msgq.FromNew(), "")
		for i := range n {
			m := c.message(i)
			m.Headers = map[string]string{"fill": strings.Repeat("x", 10<<10)}
			c.publish(m)
			if got := c.read(fast, m.ID); len(got) != 1 {
				c.Fatalf("the fast reader got %v", ids(got))
			}
		}
		c.wantRange(c.read(slow, strconv.Itoa(n-1)), 0, n)
	}},
}
