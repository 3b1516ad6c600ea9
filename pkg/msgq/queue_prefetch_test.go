package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// behind is how many messages wait behind a handler that was fast, and hangs.
const behind = 5

// hang subscribes with a handler that hangs at a message until free is called, when
// others wait behind it.
func hang(t *testing.T, c *msgq.Client, q msgq.Queue, opts ...msgq.SubscribeOption) (sub *msgq.Subscription, free func()) {
	t.Helper()
	blocked, release := make(chan struct{}), make(chan struct{})
	free = sync.OnceFunc(func() { close(release) })
	var once sync.Once
	sub = subscribe(t, c, q, func(_ context.Context, d *msgq.Delivery) error {
		if d.Topic == "slow" {
			once.Do(func() { close(blocked) })
			<-release
		}
		return nil
	}, opts...)
	t.Cleanup(free)
	for range 200 { // until it is taken for a fast one
		publish(t, c, msgq.Message{Topic: "fast"})
	}
	publish(t, c, msgq.Message{Topic: "slow"})
	msgqtest.Receive(t, blocked, "slow message")
	for i := range behind {
		publish(t, c, msgq.Message{Topic: "behind", ID: fmt.Sprint(i)})
	}
	// Not what the broker has sent: what crosses with the end of the subscription is lost, and has used up an attempt.
	msgqtest.Eventually(t, "messages wait behind the slow one", func() bool { return sub.Waiting() == behind })
	return sub, free
}

// takeBehind has another member of q receive what waited, at this attempt.
func takeBehind(t *testing.T, c *msgq.Client, attempt int) {
	t.Helper()
	other := join(t, c, msgq.Queue{Name: "q"}, behind)
	for range behind {
		d := msgqtest.Receive(t, other.Deliveries(), "message given back")
		if d.Topic != "behind" || d.Attempt != attempt {
			t.Errorf("got %s, attempt %d, want attempt %d", d.Topic, d.Attempt, attempt)
		}
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}
}

func TestDrainGivesBackWhatWaitsBehindAHungHandler(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	sub, free := hang(t, c, msgq.Queue{Name: "q", Topics: []string{">"}}) // the ack wait is 30 s
	drained := make(chan struct{})
	go func() { sub.Drain(); close(drained) }()
	takeBehind(t, c, 2)
	select {
	case <-drained:
		t.Error("Drain did not wait for the running handler")
	default:
	}
	free()
	msgqtest.Receive(t, drained, "end of the drain")
	if err := sub.Err(); !errors.Is(err, msgq.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestWhatWaitsForAnAckWaitGoesToOthers(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	_, free := hang(t, c, msgq.Queue{Name: "q", Topics: []string{">"}, AckWait: 300 * time.Millisecond})
	takeBehind(t, c, 2)
	free()
	msgqtest.Eventually(t, "the queue is done", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready == 0 && info.InFlight == 0 && info.Dead == 0
	})
}

func TestLastAttemptsThatWaitForAnAckWaitGoToOthers(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	hang(t, c, msgq.Queue{Name: "q", Topics: []string{">"}, MaxAttempts: 1, AckWait: 300 * time.Millisecond}, msgq.WithPrefetch(100))
	takeBehind(t, c, 1) // it was none
}

func TestDrainHandlesWhatHandlersGetToSoon(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	sub, free := hang(t, c, msgq.Queue{Name: "q", Topics: []string{">"}}, msgq.WithDrainWait(time.Minute))
	drained := make(chan struct{})
	go func() { sub.Drain(); close(drained) }()
	msgqtest.Eventually(t, "no more is taken", func() bool {
		publish(t, c, msgq.Message{Topic: "late"})
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready > 0
	})
	free()
	msgqtest.Receive(t, drained, "end of the drain")
	other := join(t, c, msgq.Queue{Name: "q"}, msgq.MaxCredit)
	if d := msgqtest.Receive(t, other.Deliveries(), "late message"); d.Topic == "behind" {
		t.Errorf("got %s, attempt %d", d.Topic, d.Attempt)
	}
}

func TestQueueOfOneAttemptIsGivenNoMoreThanItHandles(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	hold := make(chan struct{})
	started := make(chan string, 10)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{">"}, MaxAttempts: 1}, func(_ context.Context, d *msgq.Delivery) error {
		if d.Topic == "slow" {
			started <- d.Topic
			<-hold
		}
		return nil
	})
	t.Cleanup(func() { close(hold) })
	for range 200 {
		publish(t, c, msgq.Message{Topic: "fast"})
	}
	publish(t, c, msgq.Message{Topic: "slow"})
	msgqtest.Receive(t, started, "slow message")
	for range behind {
		publish(t, c, msgq.Message{Topic: "behind"})
	}
	other := join(t, c, msgq.Queue{Name: "q"}, behind)
	for range behind {
		if d := msgqtest.Receive(t, other.Deliveries(), "message"); d.Attempt != 1 {
			t.Errorf("attempt %d", d.Attempt)
		}
	}
}

// What comes after a quiet time may be slow, though what came before was fast.
func TestMemberThatWasFastLeavesToOthersWhatComesAfterAQuietTime(t *testing.T) {
	s := msgqtest.NewServer(t)
	var slow atomic.Bool
	hold := make(chan struct{})
	running := make(chan string, 100)
	member := func(name string) {
		subscribe(t, s.Connect(nil), msgq.Queue{Name: "q", Topics: []string{"a"}}, func(context.Context, *msgq.Delivery) error {
			if slow.Load() {
				running <- name
				<-hold
			}
			return nil
		}, msgq.WithConcurrency(1))
	}
	member("warm")
	c := s.Connect(nil)
	for range 3 {
		c.PublishBatch(t.Context(), slices.Repeat([]msgq.BatchItem{{Message: msgq.Message{Topic: "a"}}}, 500))
	}
	quiet := time.Now()
	msgqtest.Eventually(t, "all are handled, and nothing comes for some heartbeats", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		if err != nil || info.Ready > 0 || info.InFlight > 0 {
			quiet = time.Now()
		}
		return time.Since(quiet) > 5*time.Second
	})
	slow.Store(true)
	member("idle")
	t.Cleanup(func() { close(hold) }) // before the subscriptions are stopped
	for range 10 {
		publish(t, c, msgq.Message{Topic: "a"})
	}
	for range 2 {
		msgqtest.Receive(t, running, "a handler in each")
	}
	if info, err := c.QueueInfo(t.Context(), "q"); err != nil || info.InFlight != 2 || info.Ready != 8 {
		t.Errorf("%d in flight and %d ready, error %v: want each handler to have one", info.InFlight, info.Ready, err)
	}
}
