package msgq_test

import (
	"context"
	"errors"
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
