package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestQueueIsMadeAgainWhenItsStreamWasLost(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, Filter: `id != "no"`, MaxAttempts: 7, AckWait: time.Minute}
	m := join(t, c, q, 2)
	got := make(chan string, 10)
	subscribe(t, c, msgq.Queue{Name: "other", Topics: []string{"a"}}, func(_ context.Context, d *msgq.Delivery) error {
		got <- d.ID
		return nil
	})
	publish(t, c, msgq.Message{Topic: "a", ID: "before"})
	msgqtest.Receive(t, got, "message")
	held := msgqtest.Receive(t, m.Deliveries(), "delivery")

	if err := msgqtest.JetStream(t, s.URL).DeleteStream(t.Context(), "EVENTS"); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "publishing works again", func() bool {
		_, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: "after"})
		return err == nil
	})
	if id := msgqtest.Receive(t, got, "message of the new stream"); id != "after" {
		t.Errorf("got %s", id)
	}
	d := msgqtest.Receive(t, m.Deliveries(), "delivery of the new stream")
	if d.ID != "after" || d.Attempt != 1 {
		t.Errorf("delivery %s, attempt %d", d.ID, d.Attempt)
	}
	if err := held.Ack(); !errors.Is(err, msgq.ErrSettled) {
		t.Errorf("ack of a message of the lost stream, which could meet another with its sequence: %v", err)
	}
	info, err := c.QueueInfo(t.Context(), "q")
	if err != nil || info.MaxAttempts != 7 || info.Filter != q.Filter || info.AckWait != time.Minute || info.InFlight != 1 {
		t.Errorf("info %+v, error %v", info, err)
	}
}

func TestQueueMadeAnewAsAnotherEndsItsMembers(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Connect(nil).PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"b"}}); err != nil {
		t.Fatal(err)
	}
	msgqtest.Receive(t, m.Done(), "end of the membership")
	if !errors.Is(m.Err(), msgq.ErrQueueNotFound) {
		t.Errorf("error %v", m.Err())
	}
}

func TestDeadLetterOfAnotherLifeOfTheStreamIsKept(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	reject := func(context.Context, *msgq.Delivery) error { return msgq.Permanent(errors.New("no")) }
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, reject)
	publish(t, c, msgq.Message{Topic: "a", ID: "before"})
	deadLetters(t, c, "q", 1)
	if err := msgqtest.JetStream(t, s.URL).DeleteStream(t.Context(), "EVENTS"); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "publishing works again", func() bool {
		r, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: "after"})
		return err == nil && r.Seq == 1 // as the one before
	})
	dead := deadLetters(t, c, "q", 2)
	if dead[0].ID != "before" || dead[1].ID != "after" || dead[0].Seq != dead[1].Seq {
		t.Errorf("dead letters %+v", dead)
	}
}

func TestBrokerKilledBetweenDeadLetterAndAckLeavesOne(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1, AckWait: time.Second}, 1)
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	d := msgqtest.Receive(t, m.Deliveries(), "delivery")
	if err := d.StoreDeadLetter(t.Context(), "no good"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Start()
	msgqtest.Eventually(t, "the message is out of the queue", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready == 0 && info.InFlight == 0
	})
	if dead := deadLetters(t, c, "q", 1); dead[0].ID != "x" || dead[0].Reason != "no good" {
		t.Errorf("dead letter %+v", dead[0])
	}
}

func TestMembersLeaveWhileTheyBury(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	const n = 100
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}
	first := join(t, c, q, n)
	for i := range n {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	for range n {
		msgqtest.Receive(t, first.Deliveries(), "delivery")
	}
	first.Leave() // all have had their only attempt
	var members sync.WaitGroup
	for range 4 {
		members.Go(func() {
			for range 5 {
				m, err := c.Join(t.Context(), q, n)
				if err != nil {
					t.Error(err)
					return
				}
				for credit := range 20 {
					if err := m.SetCredit(credit * 50); err != nil {
						t.Error(err)
					}
				}
				m.Leave()
				m.Leave()
			}
		})
	}
	members.Wait()
	join(t, c, q, n)
	seen := make(map[string]bool)
	for _, d := range deadLetters(t, c, "q", n) {
		seen[d.ID] = true
	}
	if len(seen) != n {
		t.Errorf("%d different dead letters, want %d", len(seen), n)
	}
}

func TestChangedSettingsReachMembersOfOtherClientsAtOnce(t *testing.T) {
	s := msgqtest.NewServer(t)
	m := join(t, s.Connect(nil), msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}, 1)
	other := s.Connect(nil)
	start := time.Now()
	if _, err := other.PutQueue(t.Context(), msgq.Queue{Name: "q", MaxAttempts: 3}); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "the member knows", func() bool { return m.Queue().MaxAttempts == 3 })
	if took := time.Since(start); took > 5*time.Second { // without word of it, it would look after 10 s
		t.Errorf("the member knew after %s", took)
	}
}

func TestDeletionReachesMembersWithoutFreeCreditAtOnce(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	pauses := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 0)
	busy := join(t, c, msgq.Queue{Name: "q"}, 1)
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	msgqtest.Receive(t, busy.Deliveries(), "delivery")
	start := time.Now()
	if err := s.Connect(nil).DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*msgq.Member{pauses, busy} {
		msgqtest.Receive(t, m.Done(), "end of the membership")
		if !errors.Is(m.Err(), msgq.ErrQueueNotFound) {
			t.Errorf("error %v", m.Err())
		}
	}
	if took := time.Since(start); took > 5*time.Second { // without word of it, they would look after 10 s
		t.Errorf("the members knew after %s", took)
	}
}

// What handlers give back when they are cut short must not come to the subscription that is about to end.
func TestStopCostsAMessageOneAttempt(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 100}
	const concurrency = 16
	for round := range 20 {
		running := make(chan struct{}, concurrency)
		sub := subscribe(t, c, q, func(ctx context.Context, _ *msgq.Delivery) error {
			running <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}, msgq.WithConcurrency(concurrency), msgq.WithPrefetch(0))
		for range concurrency {
			publish(t, c, msgq.Message{Topic: "a"})
		}
		for range concurrency {
			msgqtest.Receive(t, running, "a handler")
		}
		sub.Stop()
		m := join(t, c, q, concurrency)
		for range concurrency {
			d := msgqtest.Receive(t, m.Deliveries(), "message given back")
			if d.Attempt != 2 {
				t.Fatalf("round %d: attempt %d", round, d.Attempt)
			}
			if err := d.AckSync(t.Context()); err != nil {
				t.Error(err)
			}
		}
		m.Leave()
	}
}
