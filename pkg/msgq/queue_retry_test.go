package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// longRetries has each retry wait longer than the ack wait, and so outside the queue.
var longRetries = msgq.Queue{
	Name: "q", Topics: []string{"a"}, MaxAttempts: 3, AckWait: 100 * time.Millisecond,
	Backoff: msgq.Backoff{List: []time.Duration{300 * time.Millisecond, 200 * time.Millisecond}},
}

func TestLongRetriesKeepWhatTheMessageIs(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	type attempt struct {
		*msgq.Delivery
		at time.Time
	}
	attempts := make(chan attempt, 10)
	subscribe(t, c, longRetries, func(_ context.Context, d *msgq.Delivery) error {
		attempts <- attempt{d, time.Now()}
		return errors.New("no")
	})
	publish(t, c, msgq.Message{Topic: "other"}) // so that sequences of copies and originals differ
	stored := publish(t, c, msgq.Message{
		Topic: "a", ID: "x", Data: []byte("hello"), DataContentType: "text/plain", Headers: map[string]string{"k": "v"},
	})
	for round := range 2 {
		var first attempt
		last := time.Time{}
		for n := 1; n <= 3; n++ {
			a := msgqtest.Receive(t, attempts, "attempt")
			if n == 1 {
				first = a
			}
			if a.Attempt != n || a.Seq != stored.Seq || !a.Time.Equal(first.Time) || a.ID != "x" || a.Topic != "a" ||
				string(a.Data) != "hello" || a.DataContentType != "text/plain" || a.Headers["k"] != "v" || len(a.Headers) != 1 {
				t.Errorf("round %d, attempt %d: %+v of %+v", round, n, a.Delivery, a.Message)
			}
			if n > 1 && a.at.Sub(last) < longRetries.Backoff.List[n-2] {
				t.Errorf("round %d, attempt %d came after %s", round, n, a.at.Sub(last))
			}
			last = a.at
		}
		d := deadLetters(t, c, "q", 1)[0]
		if d.Seq != stored.Seq || d.Attempts != 3 || d.Round != round || !d.Time.Equal(first.Time) ||
			d.FirstAt.Sub(first.at).Abs() > 100*time.Millisecond || d.DeadAt.Before(last.Add(-time.Second)) || d.Headers["k"] != "v" {
			t.Errorf("round %d: dead letter %+v, first delivery %s", round, d, first.at)
		}
		if n, err := c.Redrive(t.Context(), "q", msgq.SelectAll()); n != 1 || err != nil {
			t.Fatalf("%d redriven, error %v", n, err)
		}
	}
	if a := msgqtest.Receive(t, attempts, "third round"); a.Attempt != 1 || a.Seq != stored.Seq {
		t.Errorf("attempt %d of %d", a.Attempt, a.Seq)
	}
}

func TestMessagesWaitingForARetryDoNotStopTheQueue(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	const waiting, pending = 1000, 20
	done := make(chan string, 1)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{">"}}, func(_ context.Context, d *msgq.Delivery) error {
		if d.Topic == "bad" {
			return msgq.RetryAfter(time.Hour, errors.New("not now"))
		}
		done <- d.ID
		return nil
	}, msgq.WithConcurrency(pending))
	js := msgqtest.JetStream(t, s.URL)
	consumer, err := js.Consumer(t.Context(), "EVENTS", "q")
	if err != nil {
		t.Fatal(err)
	}
	cfg := consumer.CachedInfo().Config
	cfg.MaxAckPending = pending // a retry that waited in the queue would take one of these
	if _, err := js.UpdateConsumer(t.Context(), "EVENTS", cfg); err != nil {
		t.Fatal(err)
	}
	fillStream(t, js, "events.t.bad", waiting)
	publish(t, c, msgq.Message{Topic: "good", ID: "x"})
	if id := msgqtest.Receive(t, done, "message behind those that wait"); id != "x" {
		t.Errorf("got %s", id)
	}
	msgqtest.Eventually(t, "all others wait outside the queue", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.WaitingRetry == waiting && info.InFlight == 0 && info.Ready == 0
	})
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	later, err := js.Stream(t.Context(), "EVENTS_LATER")
	if err != nil || later.CachedInfo().State.Msgs != 0 {
		t.Errorf("retries of a deleted queue are left: %+v, error %v", later.CachedInfo().State, err)
	}
}

func TestRetryCutShortBeforeTheAckLeavesOneCopy(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := longRetries
	q.AckWait = time.Minute
	m := join(t, c, q, 1)
	publish(t, c, msgq.Message{Topic: "a"})
	d := msgqtest.Receive(t, m.Deliveries(), "delivery")
	if err := d.ScheduleRetry(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	m.Leave() // as if it had died
	m = join(t, c, q, 1)
	d = msgqtest.Receive(t, m.Deliveries(), "the same message, though a copy of it waits")
	if err := d.NackAfter(t.Context(), 2*time.Hour, "no"); err != nil || d.Attempt != 2 {
		t.Fatalf("attempt %d, error %v", d.Attempt, err)
	}
	info, err := c.QueueInfo(t.Context(), "q")
	if err != nil || info.WaitingRetry != 1 || info.InFlight != 0 {
		t.Errorf("info %+v, error %v", info, err)
	}
}

func TestRetryIsForgottenWhenItsTTLEndsFirst(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := longRetries
	q.Backoff.List = []time.Duration{time.Hour}
	m := join(t, c, q, 1)
	if _, err := c.Publish(t.Context(), msgq.Message{Topic: "a"}, msgq.WithTTL(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := msgqtest.Receive(t, m.Deliveries(), "delivery").Nack(t.Context(), "no"); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "it counts as expired", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		if err != nil || info.WaitingRetry != 0 || info.InFlight != 0 || info.Dead != 0 || info.Acknowledged != 0 {
			t.Errorf("info %+v, error %v", info, err)
		}
		return info.Expired == 1
	})
}

func TestWaitingDeliveryKeepsItsAckWait(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: 150 * time.Millisecond}, 3)
	for i := range 3 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	for i := range 2 {
		// This one is taken, and expires: meanwhile the next ones wait here for longer than the ack wait.
		d := msgqtest.Receive(t, m.Deliveries(), "delivery")
		if d.ID != fmt.Sprint(i) || d.Attempt != 1 || d.Settled() {
			t.Fatalf("delivery %s, attempt %d, settled %t", d.ID, d.Attempt, d.Settled())
		}
		msgqtest.Eventually(t, "end of the ack wait", d.Settled)
		if err := d.Ack(); !errors.Is(err, msgq.ErrSettled) {
			t.Errorf("late ack: %v", err)
		}
	}
	d := msgqtest.Receive(t, m.Deliveries(), "last delivery")
	if err := d.AckSync(t.Context()); d.ID != "2" || d.Attempt != 1 || err != nil {
		t.Errorf("delivery %s, attempt %d, error %v", d.ID, d.Attempt, err)
	}
}
