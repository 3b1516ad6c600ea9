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

func TestReleasedMessageComesAgainAtTheSameAttempt(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	attempts := make(chan *msgq.Delivery, 10)
	calls := 0
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 2, Backoff: msgq.Backoff{List: []time.Duration{0}}}, func(_ context.Context, d *msgq.Delivery) error {
		attempts <- d
		calls++ // one handler at a time
		switch calls {
		case 1, 2, 4, 5:
			return msgq.Release(errors.New("not now"))
		case 3:
			return errors.New("failed")
		}
		return nil
	})
	receipt := publish(t, c, msgq.Message{Topic: "a", ID: "1", Data: []byte("data")})
	for i, want := range []int{1, 1, 1, 2, 2, 2} {
		d := msgqtest.Receive(t, attempts, "delivery")
		if d.Attempt != want || d.Seq != receipt.Seq || d.ID != "1" || string(d.Data) != "data" {
			t.Errorf("delivery %d: attempt %d of %d %s %q, want attempt %d of the message", i+1, d.Attempt, d.Seq, d.ID, d.Data, want)
		}
	}
	msgqtest.Eventually(t, "nothing is left", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready+uint64(info.InFlight)+info.WaitingRetry+info.Dead == 0
	})
	if msgq.Release(nil) != nil {
		t.Error("Release(nil) is an error")
	}
}

func TestStopAtTheLastAttemptMakesNoDeadLetter(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}
	began := make(chan struct{})
	sub := subscribe(t, c, q, func(ctx context.Context, _ *msgq.Delivery) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	})
	publish(t, c, msgq.Message{Topic: "a", ID: "1"})
	msgqtest.Receive(t, began, "the handler's begin")
	sub.Stop()
	if info, err := c.QueueInfo(t.Context(), "q"); err != nil || info.Dead != 0 {
		t.Errorf("%d dead letters, error %v", info.Dead, err)
	}
	got := make(chan int, 1)
	subscribe(t, c, q, func(_ context.Context, d *msgq.Delivery) error {
		got <- d.Attempt
		return nil
	})
	if attempt := msgqtest.Receive(t, got, "the message again"); attempt != 1 {
		t.Errorf("attempt %d, want 1", attempt)
	}
}

func TestWhatNobodyLookedAtKeepsItsLastAttempt(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{">"}, MaxAttempts: 1}
	sub, free := hang(t, c, q, msgq.WithPrefetch(2*behind))
	stopped := make(chan struct{})
	go func() { sub.Stop(); close(stopped) }()
	takeBehind(t, c, 1)
	free()
	msgqtest.Receive(t, stopped, "end of the subscription")
	if info, err := c.QueueInfo(t.Context(), "q"); err != nil || info.Dead != 0 {
		t.Errorf("%d dead letters, error %v", info.Dead, err)
	}
}

func TestMemberThatLeavesUsesUpOnlyWhatItTook(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	leaver := join(t, s.Connect(nil), msgq.Queue{Name: "q", Topics: []string{"behind"}, MaxAttempts: 1}, 1+behind)
	for i := range 1 + behind {
		publish(t, c, msgq.Message{Topic: "behind", ID: fmt.Sprint(i)})
	}
	msgqtest.Receive(t, leaver.Deliveries(), "first message")
	msgqtest.Eventually(t, "the others wait at the member", func() bool { return len(leaver.Deliveries()) == behind })
	leaver.Leave()
	if n := len(leaver.Deliveries()); n > 0 {
		t.Errorf("%d messages that go to others can be taken here too", n)
	}
	takeBehind(t, c, 1)
	msgqtest.Eventually(t, "what was taken is a dead letter", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Dead == 1
	})
}

func TestCloseGivesLastAttemptsBackTogether(t *testing.T) {
	s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	c := s.Connect(nil)
	const waiting = 50
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}, waiting)
	for range waiting {
		publish(t, c, msgq.Message{Topic: "a"})
	}
	msgqtest.Eventually(t, "messages wait at the member", func() bool { return len(m.Deliveries()) == waiting })
	s.Freeze() // one by one, it would be waited for until the connection is given up
	closed := make(chan struct{})
	go func() { c.Close(); close(closed) }()
	msgqtest.Receive(t, closed, "end of the client")
	s.Thaw()
}

// TestMemberLeavesABrokerThatDoesNotAnswer, and does not ask it for one last attempt after the other.
func TestMemberLeavesABrokerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	c := s.Connect(nil)
	const held = 500 // several times of what is asked at once
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1, AckWait: 10 * time.Minute}, held)
	var publishing sync.WaitGroup
	for range held {
		publishing.Go(func() { publish(t, c, msgq.Message{Topic: "a"}) })
	}
	for range held {
		msgqtest.Receive(t, m.Deliveries(), "delivery")
	}
	publishing.Wait()
	s.Freeze()
	start := time.Now()
	m.Leave()
	if took := time.Since(start); took > 8*time.Second { // one request that is not answered takes 5 s
		t.Errorf("it took %s", took)
	}
	s.Thaw()
	join(t, s.Connect(nil), msgq.Queue{Name: "q", Topics: []string{"a"}}, held)
	msgqtest.Eventually(t, "all are dead letters", func() bool {
		info, err := s.Connect(nil).QueueInfo(t.Context(), "q")
		return err == nil && info.Dead == held
	})
}
