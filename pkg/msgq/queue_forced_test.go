package msgq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestForcedFilterHoldsBesideTheQueuesOwn(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, Filter: "data.n > 1", Forced: `data.tenant == "red"`, From: msgq.FromAll()}
	for _, data := range []string{`{"tenant":"red","n":1}`, `{"tenant":"blue","n":2}`, `{"tenant":"red","n":3}`} {
		publish(t, c, msgq.Message{Topic: "a", DataContentType: "application/json", Data: []byte(data)})
	}
	m, err := c.Join(t.Context(), q, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leave()
	if d := msgqtest.Receive(t, m.Deliveries(), "a message"); string(d.Data) != `{"tenant":"red","n":3}` {
		t.Errorf("got %s", d.Data)
	}
	for name, other := range map[string]string{"none": "", "another": "true"} {
		q := msgq.Queue{Name: "q", Forced: other}
		if _, err := c.Join(t.Context(), q, 1); !errors.Is(err, msgq.ErrQueueForced) {
			t.Errorf("joined with forced filter %s: %v", name, err)
		}
		q.Push = &msgq.Push{URL: "http://203.0.113.1/"}
		if _, err := c.PutQueue(t.Context(), q); !errors.Is(err, msgq.ErrQueueForced) {
			t.Errorf("pushed with forced filter %s: %v", name, err)
		}
	}
	if _, err := c.PutQueue(t.Context(), msgq.Queue{Name: "q", MaxAttempts: 7}); err != nil {
		t.Errorf("what does not read its messages may be changed: %v", err)
	}
	now, err := c.Queue(t.Context(), "q")
	if err != nil || now.Forced != q.Forced || now.Filter != q.Filter || now.MaxAttempts != 7 {
		t.Errorf("the queue is %+v, %v", now, err)
	}
}

func TestExistingCreatesNothing(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, Existing: true}
	if _, err := c.Join(t.Context(), q, 1); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("join: %v", err)
	}
	if _, err := c.PutQueue(t.Context(), q); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("put: %v", err)
	}
}

// TestFilteredMessageIsNoDeadLetter though processes died with it: dead letters show what the forced filter hides.
func TestFilteredMessageIsNoDeadLetter(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *msgq.Client, msgq.Queue){
		"pull": func(t *testing.T, c *msgq.Client, _ msgq.Queue) {
			if pulled, err := c.Pull(t.Context(), "q", 1, 2*time.Second); len(pulled) > 0 || err != nil {
				t.Error(pulled, err)
			}
		},
		"subscribe": func(t *testing.T, c *msgq.Client, q msgq.Queue) {
			subscribe(t, c, q, func(context.Context, *msgq.Delivery) error { t.Error("handled"); return nil })
		},
		"member": func(t *testing.T, c *msgq.Client, q msgq.Queue) { join(t, c, q, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := msgqtest.NewServer(t)
			c := s.Connect(nil)
			q := msgq.Queue{Name: "q", Topics: []string{"a"}, Forced: `data.tenant == "red"`, MaxAttempts: 1, AckWait: 200 * time.Millisecond}
			put(t, c, q)
			publish(t, c, msgq.Message{Topic: "a", DataContentType: "application/json", Data: []byte(`{"tenant":"blue"}`)})
			consumer, err := stream(t, s.URL, "EVENTS").Consumer(t.Context(), "q")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := consumer.Next(jetstream.FetchMaxWait(msgqtest.Timeout)); err != nil {
				t.Fatal(err)
			}
			take(t, c, q)
			wantInfo(t, c, "it is done", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 })
			if ids := deadIDs(t, c); ids != "[]" {
				t.Errorf("dead letters %s", ids)
			}
		})
	}
}
