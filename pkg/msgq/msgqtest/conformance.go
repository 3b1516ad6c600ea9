package msgqtest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/nats-io/nuid"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Conformance runs the promises of this library as subtests against one broker,
// whichever that is: embedded, a container, a cluster.
//
// The function connect opens a client that ends with the test given; it is called more
// than once. Every run uses topics and queue names of its own, so the broker may be
// in use. With a [msgq.Config] TailBytes of 1 MiB slow readers are made to
// read from the broker, with the default from memory.
func Conformance(t *testing.T, connect func(*testing.T) *msgq.Client) {
	t.Helper()
	for _, promises := range [][]promise{publishPromises, batchPromises, delayPromises, livePromises, queuePromises, deadPromises} {
		for _, p := range promises {
			t.Run(p.name, func(t *testing.T) {
				run := nuid.Next()
				p.check(&check{T: t, connect: connect, Client: connect(t), topic: "conformance." + run, queue: "conformance-" + run})
			})
		}
	}
}

// promise is one sentence and what shows that it holds.
type promise struct {
	name  string
	check func(*check)
}

// check is one promise being looked at.
type check struct {
	*testing.T
	*msgq.Client

	connect func(*testing.T) *msgq.Client
	topic   string // nobody else's: publish to it or below it
	queue   string // the same for the one queue of a promise
}

// message has the id "n" and the data n.
func (c *check) message(n int) msgq.Message {
	id := strconv.Itoa(n)
	return msgq.Message{Topic: c.topic, ID: id, Data: []byte(id)}
}

func (c *check) publish(m msgq.Message, opts ...msgq.PublishOption) msgq.Receipt {
	c.Helper()
	r, err := c.Publish(Context(c), m, opts...)
	if err != nil {
		c.Fatalf("publish %s to %s: %v", m.ID, m.Topic, err)
	}
	return r
}

// publishN publishes the messages from up to and without to, one after another.
func (c *check) publishN(from, to int) []msgq.Receipt {
	c.Helper()
	var receipts []msgq.Receipt
	for n := from; n < to; n++ {
		receipts = append(receipts, c.publish(c.message(n)))
	}
	return receipts
}

// live opens a subscription to the promise's topic and all below it.
func (c *check) live(client *msgq.Client, from msgq.From, filter string) *msgq.LiveSubscription {
	c.Helper()
	sub, err := client.Live(Context(c), msgq.Live{Topics: []string{c.topic, c.topic + ".>"}, Filter: filter, From: from})
	if err != nil {
		c.Fatalf("live subscription: %v", err)
	}
	c.Cleanup(sub.Close)
	return sub
}

// read reads up to the message with the id.
func (c *check) read(sub *msgq.LiveSubscription, id string) []*msgq.Message {
	c.Helper()
	var got []*msgq.Message
	for m, err := range sub.All(Context(c)) {
		if err != nil {
			c.Fatalf("live subscription, waiting for %s after %d messages: %v", id, len(got), err)
		}
		got = append(got, m)
		if m.ID == id {
			break
		}
	}
	return got
}

// wantRange fails unless the messages are from up to and without to, in order, each once.
func (c *check) wantRange(got []*msgq.Message, from, to int) {
	c.Helper()
	if len(got) != to-from {
		c.Fatalf("got %d messages, want %d: %v", len(got), to-from, ids(got))
	}
	var last uint64
	for i, m := range got {
		if m.ID != strconv.Itoa(from+i) || string(m.Data) != m.ID || m.Seq <= last {
			c.Fatalf("message %d: id %s, data %q, seq %d behind seq %d; want id %d", i, m.ID, m.Data, m.Seq, last, from+i)
		}
		last = m.Seq
	}
}

func ids(messages []*msgq.Message) []string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.ID
	}
	return all
}

// open creates the promise's queue on its topic and all below; set may change what it is, or be nil.
func (c *check) open(set func(*msgq.Queue)) msgq.Queue {
	c.Helper()
	q := msgq.Queue{Name: c.queue, Topics: []string{c.topic, c.topic + ".>"}}
	if set != nil {
		set(&q)
	}
	_, err := c.PutQueue(Context(c), q)
	for ctx := Context(c); errors.Is(err, msgq.ErrUnavailable) && ctx.Err() == nil; { // as while a cluster chooses a leader
		_, err = c.PutQueue(ctx, q)
	}
	if err != nil {
		c.Fatalf("create the queue: %v", err)
	}
	c.Cleanup(func() { // before the client closes
		if err := c.DeleteQueue(context.Background(), c.queue); err != nil {
			c.Errorf("delete the queue: %v", err)
		}
	})
	return q
}

// handle runs the handler on the promise's queue until the test ends.
func (c *check) handle(client *msgq.Client, h msgq.Handler, opts ...msgq.SubscribeOption) {
	c.Helper()
	sub, err := client.Subscribe(Context(c), msgq.Queue{Name: c.queue}, h, opts...)
	if err != nil {
		c.Fatalf("subscribe: %v", err)
	}
	c.Cleanup(sub.Stop)
}

// join takes part in the promise's queue until the test ends.
func (c *check) join(client *msgq.Client, credit int) *msgq.Member {
	c.Helper()
	m, err := client.Join(Context(c), msgq.Queue{Name: c.queue}, credit)
	if err != nil {
		c.Fatalf("join: %v", err)
	}
	c.Cleanup(m.Leave)
	return m
}

// idle waits until the queue has nothing left to deliver.
func (c *check) idle() {
	c.Helper()
	Eventually(c, "the queue has nothing left to deliver", func() bool {
		info, err := c.QueueInfo(c.Context(), c.queue)
		return err == nil && info.Ready == 0 && info.InFlight == 0 && info.WaitingRetry == 0
	})
}

// dead waits for the queue's dead letters to be n, and gives them by seq in order. A list
// may for a moment show what was removed, as far as a replica that lags still has it.
func (c *check) dead(n int) []msgq.DeadLetter {
	c.Helper()
	var found []msgq.DeadLetter
	Eventually(c, strconv.Itoa(n)+" dead letters", func() bool {
		found = nil
		for d, err := range c.DeadLetters(c.Context(), c.queue) {
			if err != nil {
				return false
			}
			found = append(found, d)
		}
		return len(found) == n
	})
	slices.SortFunc(found, func(a, b msgq.DeadLetter) int { return int(a.Seq) - int(b.Seq) })
	return found
}
