package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

type pointerError struct{ text string }

func (e *pointerError) Error() string { return e.text } // of a nil pointer, it panics

// Whatever a handler does, its message is settled and the next one is handled.
func TestHandlersThatEndOddlyFailTheirAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		do     func() error
		reason string
	}{
		"an error that is a nil pointer":          {func() error { var e *pointerError; return e }, "panic: runtime error"},
		"a permanent error that is a nil pointer": {func() error { var e *pointerError; return msgq.Permanent(e) }, "panic: runtime error"},
		"the end of the goroutine":                {func() error { runtime.Goexit(); return nil }, "Goexit"},
		"a panic with an error that is permanent": {func() error { panic(msgq.Permanent(errors.New("no use"))) }, "no use"},
		"a panic": {func() error { panic("boom") }, "panic: boom"},
		"a wait longer than the longest, by jitter": {func() error { return msgq.RetryAfter(1000*time.Hour, errors.New("no")) }, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			c := msgqtest.NewServer(t).Connect(nil)
			var handled atomic.Int32
			subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}, func(context.Context, *msgq.Delivery) error {
				handled.Add(1)
				return test.do()
			})
			for i := range 3 {
				publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
			}
			for _, d := range deadLetters(t, c, "q", 3) {
				if !strings.Contains(d.Reason, test.reason) {
					t.Errorf("reason %q, want %q", d.Reason, test.reason)
				}
			}
			if n := handled.Load(); n != 3 {
				t.Errorf("%d handled, want 3", n)
			}
		})
	}
}

func TestMiddlewareSeesThePanicWithItsStack(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	seen := make(chan error, 1)
	watch := func(next msgq.Handler) msgq.Handler {
		return func(ctx context.Context, d *msgq.Delivery) error {
			err := next(ctx, d)
			seen <- err
			return nil
		}
	}
	sub, err := c.Subscribe(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}}, func(context.Context, *msgq.Delivery) error {
		panic("boom")
	}, msgq.WithMiddleware(watch, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Stop)
	publish(t, c, msgq.Message{Topic: "a"})
	got, ok := errors.AsType[*msgq.PanicError](msgqtest.Receive(t, seen, "the error"))
	if !ok || got.Value != "boom" || !strings.Contains(got.Stack, "handler_odd_test.go") {
		t.Errorf("got %+v", got)
	}
}

func TestLongestBackoffIsStillABackoff(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, Backoff: msgq.Backoff{Base: 24 * time.Hour, Max: 24 * time.Hour}}, 1)
	for range 5 {
		publish(t, c, msgq.Message{Topic: "a"})
		if err := msgqtest.Receive(t, m.Deliveries(), "delivery").Nack(t.Context(), "no"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingComesToAMemberThatPauses(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 16)
	publish(t, c, msgq.Message{Topic: "a", ID: "first"})
	if err := msgqtest.Receive(t, m.Deliveries(), "delivery").AckSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.SetCredit(0); err != nil {
		t.Fatal(err)
	}
	other := join(t, c, msgq.Queue{Name: "q"}, 100)
	msgqtest.Eventually(t, "all go to the other", func() bool { // what was asked for is withdrawn in a moment
		id := publish(t, c, msgq.Message{Topic: "a"}).ID
		select {
		case d := <-m.Deliveries():
			return d.Ack() != nil
		case d := <-other.Deliveries():
			return d.ID == id && len(m.Deliveries()) == 0
		}
	})
	for range 32 {
		publish(t, c, msgq.Message{Topic: "a"})
		if err := msgqtest.Receive(t, other.Deliveries(), "delivery").Ack(); err != nil {
			t.Error(err)
		}
	}
	if n := len(m.Deliveries()); n > 0 {
		t.Errorf("the paused member got %d", n)
	}
}

func TestClosedClientSaysSo(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	if _, err := c.Topics(t.Context(), ">", "", -1); err != nil {
		t.Errorf("a limit below one: %v", err)
	}
	c.Close()
	_, publishErr := c.Publish(t.Context(), msgq.Message{Topic: "a"})
	_, delayedErr := c.Publish(t.Context(), msgq.Message{Topic: "a"}, msgq.WithDelay(time.Hour))
	_, atomicErr := c.PublishAtomic(t.Context(), []msgq.BatchItem{{Message: msgq.Message{Topic: "a"}}})
	_, infoErr := c.QueueInfo(t.Context(), "q")
	_, liveErr := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	for name, err := range map[string]error{
		"publish": publishErr, "delayed": delayedErr, "atomic": atomicErr, "batch": c.PublishBatch(t.Context(), []msgq.BatchItem{{Message: msgq.Message{Topic: "a"}}})[0].Err,
		"info": infoErr, "live": liveErr, "ready": c.Ready(t.Context()), "cancel": c.CancelDelayed(t.Context(), "a", "b"),
	} {
		if !errors.Is(err, msgq.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}

func TestPublishWithAnEndedContextStoresNothing(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if _, err := c.Publish(ctx, msgq.Message{Topic: "a"}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	if r := publish(t, c, msgq.Message{Topic: "a"}); r.Seq != 1 {
		t.Errorf("seq %d, want 1", r.Seq)
	}
}
