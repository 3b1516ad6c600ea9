package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestJSONHandlerTakesWhatDecodes(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	type order struct{ Total float64 }
	totals := make(chan float64, 2)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, msgq.JSON(func(_ context.Context, o order, d *msgq.Delivery) error {
		totals <- o.Total + float64(d.Attempt)
		return nil
	}))
	publish(t, c, msgq.Message{Topic: "a", Data: []byte(`{"total":"much"}`)})
	publish(t, c, msgq.Message{Topic: "a", Data: []byte(`{"total":41.5}`)})
	if got := msgqtest.Receive(t, totals, "order"); got != 42.5 {
		t.Errorf("total %v", got)
	}
	if d := deadLetters(t, c, "q", 1)[0]; d.Attempts != 1 || !strings.Contains(d.Reason, "decode the data") {
		t.Errorf("dead letter %+v", d)
	}
}

func TestSkippedMessageIsAcknowledged(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	seen := make(chan error, 2)
	watch := func(next msgq.Handler) msgq.Handler {
		return func(ctx context.Context, d *msgq.Delivery) error {
			err := next(ctx, d)
			seen <- err
			return err
		}
	}
	why := errors.New("nobody asked for it")
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(context.Context, *msgq.Delivery) error {
		return fmt.Errorf("order 7: %w", msgq.Skip(why))
	}, msgq.WithMiddleware(watch))
	publish(t, c, msgq.Message{Topic: "a"})
	if err := msgqtest.Receive(t, seen, "result"); !errors.Is(err, why) {
		t.Errorf("middleware saw %v", err)
	}
	msgqtest.Eventually(t, "the queue is done", func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && info.Ready == 0 && info.InFlight == 0 && info.Dead == 0
	})
	if msgq.Skip(nil) != nil || msgq.Permanent(nil) != nil || msgq.RetryAfter(time.Second, nil) != nil {
		t.Error("a nil error does not stay nil")
	}
}

func TestMiddlewareRunsInOrderAndSeesPanicsAsErrors(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	events := make(chan string, 20)
	named := func(name string) msgq.Middleware {
		return func(next msgq.Handler) msgq.Handler {
			return func(ctx context.Context, d *msgq.Delivery) error {
				events <- name
				err := next(ctx, d)
				events <- fmt.Sprint(name, ": ", err)
				if name == "first" {
					panic("me too") // a failed attempt, not the end of the process
				}
				return err
			}
		}
	}
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}, func(context.Context, *msgq.Delivery) error {
		events <- "handler"
		panic("no good")
	}, msgq.WithMiddleware(named("first"), named("second")), msgq.WithMiddleware(named("third")))
	publish(t, c, msgq.Message{Topic: "a"})
	var got []string
	for range 7 {
		got = append(got, msgqtest.Receive(t, events, "event"))
	}
	want := []string{"first", "second", "third", "handler", "third: panic: no good", "second: panic: no good", "first: panic: no good"}
	if !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
	if d := deadLetters(t, c, "q", 1)[0]; d.Reason != "panic: me too" {
		t.Errorf("dead letter %+v", d)
	}
}

func TestSubscribeRefusesOptionsOutsideTheirLimits(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}}
	done := func(context.Context, *msgq.Delivery) error { return nil }
	if _, err := c.Subscribe(t.Context(), q, nil); !errors.Is(err, msgq.ErrInvalidQueue) {
		t.Errorf("no handler: error %v", err)
	}
	for name, opt := range map[string]msgq.SubscribeOption{
		"no concurrency":     msgq.WithConcurrency(0),
		"much concurrency":   msgq.WithConcurrency(1001),
		"much prefetch":      msgq.WithPrefetch(1001),
		"less than prefetch": msgq.WithPrefetch(-1),
	} {
		_, err := c.Subscribe(t.Context(), q, done, opt)
		if !errors.Is(err, msgq.ErrInvalidQueue) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestCloseOfTheClientEndsHandlers(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	started := make(chan struct{}, 4)
	sub := subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(ctx context.Context, _ *msgq.Delivery) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, msgq.WithConcurrency(4))
	for range 4 {
		publish(t, c, msgq.Message{Topic: "a"})
	}
	for range 4 {
		msgqtest.Receive(t, started, "handler")
	}
	c.Close()
	msgqtest.Receive(t, sub.Closed(), "end of the subscription")
	if _, err := c.Join(t.Context(), msgq.Queue{Name: "q"}, 1); !errors.Is(err, msgq.ErrClosed) {
		t.Errorf("join after close: %v", err)
	}
	m := join(t, s.Connect(nil), msgq.Queue{Name: "q"}, 4)
	for range 4 { // given back, though their handlers ended without settling
		if d := msgqtest.Receive(t, m.Deliveries(), "delivery"); d.Attempt != 2 {
			t.Errorf("attempt %d", d.Attempt)
		}
	}
}

func TestSubscriptionSaysWhichSettingsTheQueueHasOtherwise(t *testing.T) {
	said := make(chan string, 10)
	c := msgqtest.NewServer(t).Connect(func(cfg *msgq.Config) {
		cfg.Logger = slog.New(slog.NewTextHandler(writerFunc(func(line string) {
			if strings.Contains(line, "PutQueue") {
				said <- line
			}
		}), nil))
	})
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 3, Backoff: msgq.Backoff{Base: time.Minute}}
	nothing := func(context.Context, *msgq.Delivery) error { return nil }
	subscribe(t, c, q, nothing)
	subscribe(t, c, q, nothing)
	subscribe(t, c, msgq.Queue{Name: "q"}, nothing)
	q.MaxAttempts, q.AckWait, q.Backoff.Base = 7, time.Minute, time.Second
	subscribe(t, c, q, nothing)
	for _, want := range []string{"MaxAttempts is 3, not 7", "AckWait is 30s, not 1m0s", "Backoff is {Base:1m0s"} {
		if line := msgqtest.Receive(t, said, "a difference"); !strings.Contains(line, want) {
			t.Errorf("got %s, want %s", line, want)
		}
	}
}
