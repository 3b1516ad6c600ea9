package msgq_test

import (
	"errors"
	"testing"

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
