package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestQueueDeliversEachMessageToOneMember(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	other := s.Connect(nil)
	const n = 200
	got := make(chan string, 2*n)
	for _, client := range []*msgq.Client{c, other} {
		subscribe(t, client, msgq.Queue{Name: "q", Topics: []string{"jobs.>"}}, func(_ context.Context, d *msgq.Delivery) error {
			got <- d.ID
			return nil
		}, msgq.WithConcurrency(4))
	}
	for i := range n {
		publish(t, c, msgq.Message{Topic: "jobs.a", ID: fmt.Sprint(i)})
	}
	seen := make(map[string]bool)
	for range n {
		id := msgqtest.Receive(t, got, "job")
		if seen[id] {
			t.Errorf("job %s came twice", id)
		}
		seen[id] = true
	}
	msgqtest.Eventually(t, "the queue is empty", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready == 0 && info.InFlight == 0
	})
}

func TestAlwaysFailingHandlerEndsInOneDeadLetter(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	type attempt struct {
		n  int
		at time.Time
	}
	attempts := make(chan attempt, 10)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 4, Backoff: msgq.Backoff{Base: 100 * time.Millisecond}}
	subscribe(t, c, q, func(_ context.Context, d *msgq.Delivery) error {
		attempts <- attempt{d.Attempt, time.Now()}
		if d.Attempt == 2 {
			panic("no good")
		}
		return errors.New("database is down")
	})
	stored := publish(t, c, msgq.Message{Topic: "a", ID: "x", Data: []byte("hello"), Headers: map[string]string{"k": "v"}})
	var last attempt
	for i := 1; i <= 4; i++ {
		a := msgqtest.Receive(t, attempts, "attempt")
		if a.n != i {
			t.Fatalf("attempt %d, want %d", a.n, i)
		}
		if i > 1 {
			want := 100 * time.Millisecond << (i - 2)
			if waited := a.at.Sub(last.at); waited < want {
				t.Errorf("attempt %d came after %s, want at least %s", i, waited, want)
			}
		}
		last = a
	}
	dead := deadLetters(t, c, "q", 1)
	d := dead[0]
	if d.ID != "x" || d.Topic != "a" || string(d.Data) != "hello" || d.Headers["k"] != "v" || d.Seq != stored.Seq ||
		d.Attempts != 4 || d.Reason != "database is down" || d.DeadAt.IsZero() {
		t.Errorf("dead letter %+v", d)
	}
	select {
	case a := <-attempts:
		t.Errorf("attempt %d after the dead letter", a.n)
	default:
	}
	msgqtest.Eventually(t, "the message is out of the queue", func() bool { // which comes after the dead letter
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.InFlight == 0 && info.Dead == 1
	})
}

func TestPermanentErrorIsADeadLetterAtOnce(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(context.Context, *msgq.Delivery) error {
		return msgq.Permanent(errors.New("bad\r\norder"))
	})
	publish(t, c, msgq.Message{Topic: "a"})
	if d := deadLetters(t, c, "q", 1)[0]; d.Attempts != 1 || d.Reason != "bad  order" {
		t.Errorf("dead letter %+v", d)
	}
}

func TestRetryAfterTakesTheDelayOfTheError(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	at := make(chan time.Time, 2)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, Backoff: msgq.Backoff{Base: time.Hour, Max: time.Hour}}
	subscribe(t, c, q, func(_ context.Context, d *msgq.Delivery) error {
		at <- time.Now()
		if d.Attempt == 1 {
			return msgq.RetryAfter(200*time.Millisecond, errors.New("busy"))
		}
		return nil
	})
	publish(t, c, msgq.Message{Topic: "a"})
	first, second := msgqtest.Receive(t, at, "attempt"), msgqtest.Receive(t, at, "second attempt")
	if second.Sub(first) < 200*time.Millisecond {
		t.Errorf("came again after %s", second.Sub(first))
	}
}

func TestUnsettledDeliveryGoesToAnotherMember(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: 10 * time.Minute}
	first := join(t, c, q, 1)
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	d := msgqtest.Receive(t, first.Deliveries(), "delivery")
	second := join(t, c, msgq.Queue{Name: "q"}, 1)
	first.Leave() // long before the ack wait
	if err := d.Ack(); !errors.Is(err, msgq.ErrSettled) {
		t.Errorf("ack after leave: %v, want ErrSettled", err)
	}
	d = msgqtest.Receive(t, second.Deliveries(), "delivery to the other member")
	if d.ID != "x" || d.Attempt != 2 {
		t.Errorf("delivery %s, attempt %d", d.ID, d.Attempt)
	}
	if err := d.AckSync(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestExpiredDeliveryComesAgainAndThenIsDead(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: 150 * time.Millisecond, MaxAttempts: 2}, 1)
	publish(t, c, msgq.Message{Topic: "a"})
	for attempt := 1; attempt <= 2; attempt++ { // never settled, as by a worker that dies
		if d := msgqtest.Receive(t, m.Deliveries(), "delivery"); d.Attempt != attempt {
			t.Errorf("attempt %d, want %d", d.Attempt, attempt)
		}
	}
	if d := deadLetters(t, c, "q", 1)[0]; d.Attempts != 2 {
		t.Errorf("dead letter after %d attempts", d.Attempts)
	}
}

func TestCreditBoundsWhatAMemberHolds(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 2)
	for i := range 5 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	held := []*msgq.Delivery{msgqtest.Receive(t, m.Deliveries(), "first"), msgqtest.Receive(t, m.Deliveries(), "second")}
	msgqtest.Eventually(t, "two are out and three are left", func() bool { // the broker counts what is new a little later
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.InFlight == 2 && info.Ready == 3
	})
	for i := 2; i < 5; i++ { // each ack makes room for one
		if err := held[0].Ack(); err != nil {
			t.Fatal(err)
		}
		held = append(held[1:], msgqtest.Receive(t, m.Deliveries(), "next"))
	}
	if held[1].ID != "4" {
		t.Errorf("last delivery is %s", held[1].ID)
	}
}

func TestQueueFilterAcknowledgesTheRestSilently(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, Filter: "data.n > 3"}, 1)
	for i := range 6 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i), DataContentType: "application/json", Data: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	for _, want := range []string{"4", "5"} {
		d := msgqtest.Receive(t, m.Deliveries(), "delivery")
		if d.ID != want || d.Attempt != 1 {
			t.Errorf("delivery %s, attempt %d, want %s", d.ID, d.Attempt, want)
		}
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}
}

func TestJoinChecksWhatTheQueueIs(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(func(cfg *msgq.Config) { cfg.MaxQueues = 1 })
	join(t, c, msgq.Queue{Name: "q", Topics: []string{"a", "b"}, Filter: "seq > 0", MaxAttempts: 7}, 1)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"b", "a"}, MaxAttempts: 2}, 1)
	if m.Queue().MaxAttempts != 7 {
		t.Errorf("max attempts %d: the queue's own settings must hold", m.Queue().MaxAttempts)
	}
	tests := map[string]struct {
		q    msgq.Queue
		want error
	}{
		"other topics":   {msgq.Queue{Name: "q", Topics: []string{"a"}}, msgq.ErrQueueMismatch},
		"other filter":   {msgq.Queue{Name: "q", Filter: "seq > 1"}, msgq.ErrQueueMismatch},
		"bad name":       {msgq.Queue{Name: "q.q", Topics: []string{"a"}}, msgq.ErrInvalidQueue},
		"new, no topics": {msgq.Queue{Name: "new"}, msgq.ErrInvalidTopic},
		"one too many":   {msgq.Queue{Name: "new", Topics: []string{"a"}}, msgq.ErrTooManyQueues},
	}
	for name, test := range tests {
		if _, err := c.Join(t.Context(), test.q, 1); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
}

func TestQueueStartsWhereAsked(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	for i := range 4 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	tests := map[string]struct {
		from  msgq.From
		first string
	}{
		"new":   {msgq.FromNew(), "new"},
		"all":   {msgq.FromAll(), "0"},
		"after": {msgq.After(msgq.Position{Seq: 2}), "2"},
		"last":  {msgq.FromLast(1), "3"},
		"time":  {msgq.FromTime(time.Now().Add(-time.Hour)), "0"},
	}
	members := make(map[string]*msgq.Member)
	for name, test := range tests {
		members[name] = join(t, c, msgq.Queue{Name: name, Topics: []string{"a"}, From: test.from}, 1)
	}
	publish(t, c, msgq.Message{Topic: "a", ID: "new"})
	for name, test := range tests {
		if d := msgqtest.Receive(t, members[name].Deliveries(), name); d.ID != test.first {
			t.Errorf("%s: first message is %s, want %s", name, d.ID, test.first)
		}
	}
}

func TestQueueLosesNothingOverBrokerRestarts(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	got := make(chan string, 100)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Second}, func(_ context.Context, d *msgq.Delivery) error {
		got <- d.ID
		return nil
	})
	for i := range 3 {
		id := fmt.Sprint(i)
		msgqtest.Eventually(t, "publishing works", func() bool {
			_, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: id})
			return err == nil
		})
		s.Stop()
		s.Start()
	}
	seen := make(map[string]bool)
	for len(seen) < 3 { // at least once each
		seen[msgqtest.Receive(t, got, "job")] = true
	}
}

func TestDeletedQueueEndsItsMembers(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	msgqtest.Receive(t, m.Done(), "end of the membership")
	if !errors.Is(m.Err(), msgq.ErrQueueNotFound) {
		t.Errorf("error %v, want ErrQueueNotFound", m.Err())
	}
}

func TestDrainFinishesWhatRunsAndStopCutsItShort(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	started, release := make(chan struct{}), make(chan struct{})
	var cut atomic.Bool
	handler := func(ctx context.Context, _ *msgq.Delivery) error {
		started <- struct{}{}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			cut.Store(true)
			return ctx.Err()
		}
	}
	sub := subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, handler)
	publish(t, c, msgq.Message{Topic: "a"})
	publish(t, c, msgq.Message{Topic: "a"})
	msgqtest.Receive(t, started, "first handler")
	drained := make(chan struct{})
	go func() { sub.Drain(); close(drained) }()
	close(release)
	msgqtest.Receive(t, drained, "end of the drain")
	if cut.Load() {
		t.Error("Drain cut a handler short")
	}
	msgqtest.Eventually(t, "one message is done and one is left", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready+uint64(info.InFlight) == 1
	})

	release = make(chan struct{})
	sub = subscribe(t, c, msgq.Queue{Name: "q"}, handler)
	msgqtest.Receive(t, started, "second handler")
	sub.Stop()
	if !cut.Load() {
		t.Error("Stop did not end the handler's context")
	}
	sub.Stop()
	sub.Drain() // both harmless by now
}

func TestLongHandlerKeepsItsMessage(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	attempts := make(chan int, 10)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: 200 * time.Millisecond}, func(ctx context.Context, d *msgq.Delivery) error {
		attempts <- d.Attempt
		timer := time.NewTimer(time.Second) // five ack waits
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil
	})
	publish(t, c, msgq.Message{Topic: "a"})
	msgqtest.Eventually(t, "the queue is done", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && len(attempts) > 0 && info.InFlight == 0
	})
	if len(attempts) != 1 {
		t.Errorf("%d attempts, want 1", len(attempts))
	}
}

func subscribe(t *testing.T, c *msgq.Client, q msgq.Queue, h msgq.Handler, opts ...msgq.SubscribeOption) *msgq.Subscription {
	t.Helper()
	sub, err := c.Subscribe(t.Context(), q, h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Stop)
	return sub
}

func join(t *testing.T, c *msgq.Client, q msgq.Queue, credit int) *msgq.Member {
	t.Helper()
	m, err := c.Join(t.Context(), q, credit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Leave)
	return m
}

// deadLetters waits until the queue has n.
func deadLetters(t *testing.T, c *msgq.Client, queue string, n int) []msgq.DeadLetter {
	t.Helper()
	var found []msgq.DeadLetter
	msgqtest.Eventually(t, fmt.Sprintf("%d dead letters", n), func() bool {
		found = nil
		for d, err := range c.DeadLetters(t.Context(), queue) {
			if err != nil {
				return false
			}
			found = append(found, d)
		}
		return len(found) >= n
	})
	if len(found) != n {
		t.Fatalf("%d dead letters, want %d", len(found), n)
	}
	return slices.Clip(found)
}
