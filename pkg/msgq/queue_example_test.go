package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

func ExampleJSON() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	type order struct {
		ID    string  `json:"id"`
		Total float64 `json:"total"`
	}
	done := make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{Name: "billing", Topics: []string{"orders.created"}},
		msgq.JSON(func(_ context.Context, o order, _ *msgq.Delivery) error {
			defer close(done)
			fmt.Printf("bill %s: %.2f\n", o.ID, o.Total)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "orders.created", Data: []byte(`{"id":"o-17","total":42.5}`)}); err != nil {
		log.Fatal(err)
	}
	<-done
	sub.Drain()
	// Output:
	// bill o-17: 42.50
}

func ExampleRetryAfter() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	done := make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{
		Name: "sms", Topics: []string{"alerts.>"}, MaxAttempts: 10,
		Backoff: msgq.Backoff{Base: time.Minute, Max: time.Hour}, // 1 min, 2 min, 4 min … with some jitter
	}, func(_ context.Context, d *msgq.Delivery) error {
		if d.Attempt == 1 { // the provider said for how long
			return msgq.RetryAfter(50*time.Millisecond, errors.New("429 too many requests"))
		}
		fmt.Println("sent at attempt", d.Attempt)
		close(done)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "alerts.fire"}); err != nil {
		log.Fatal(err)
	}
	<-done
	sub.Drain()
	// Output:
	// sent at attempt 2
}

func ExampleRelease() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	ready, done := false, make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{Name: "invoices", Topics: []string{"orders"}}, func(_ context.Context, d *msgq.Delivery) error {
		if !ready { // no fault of the message
			ready = true
			return msgq.Release(errors.New("the database restarts"))
		}
		fmt.Println("invoiced at attempt", d.Attempt)
		close(done)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "orders"}); err != nil {
		log.Fatal(err)
	}
	<-done
	sub.Drain()
	// Output:
	// invoiced at attempt 1
}

func ExampleWithMiddleware() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	logged := func(next msgq.Handler) msgq.Handler {
		return func(ctx context.Context, d *msgq.Delivery) error {
			err := next(ctx, d)
			fmt.Printf("%s: %v\n", d.Topic, err) // a panic is an error here
			return err
		}
	}
	deadline := func(next msgq.Handler) msgq.Handler {
		return func(ctx context.Context, d *msgq.Delivery) error {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			return next(ctx, d)
		}
	}
	begun := make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{Name: "search", Topics: []string{"pages.>"}, MaxAttempts: 1},
		func(context.Context, *msgq.Delivery) error {
			close(begun)
			panic("index out of range")
		}, msgq.WithMiddleware(logged, deadline))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "pages.changed"}); err != nil {
		log.Fatal(err)
	}
	<-begun
	sub.Drain()
	// Output:
	// pages.changed: panic: index out of range
}

func ExampleClient_Redrive() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	member, err := client.Join(ctx, msgq.Queue{Name: "billing", Topics: []string{"orders.>"}}, 10)
	if err != nil {
		log.Fatal(err)
	}
	defer member.Leave()
	for _, total := range []string{"12", "99"} {
		m := msgq.Message{Topic: "orders.created", DataContentType: "application/json", Data: []byte(`{"total":` + total + `}`)}
		if _, err := client.Publish(ctx, m); err != nil {
			log.Fatal(err)
		}
		if err := (<-member.Deliveries()).Reject(ctx, "the bank is closed"); err != nil {
			log.Fatal(err)
		}
	}

	for d, err := range client.DeadLetters(ctx, "billing", msgq.DeadMatching("data.total > 50"), msgq.DeadLimit(100)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(d.Data), d.Reason)
	}
	redriven, err := client.Redrive(ctx, "billing", msgq.SelectMatching("data.total > 50"))
	if err != nil {
		log.Fatal(err)
	}
	discarded, err := client.Discard(ctx, "billing", msgq.SelectAll())
	if err != nil {
		log.Fatal(err)
	}
	d := <-member.Deliveries()
	fmt.Println(redriven, "redriven,", discarded, "discarded, attempt", d.Attempt, "at", string(d.Data))
	// Output:
	// {"total":99} the bank is closed
	// 1 redriven, 1 discarded, attempt 1 at {"total":99}
}

func ExampleSubscription_Drain() {
	ctx, stopSignals := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stopSignals()
	client, stop := exampleClient(ctx)
	defer stop()

	// Not with ctx: the signal shall let running handlers finish.
	sub, err := client.Subscribe(context.Background(), msgq.Queue{Name: "mailer", Topics: []string{"users.created"}},
		func(context.Context, *msgq.Delivery) error { return nil }, msgq.WithConcurrency(8))
	if err != nil {
		log.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil { // as a deployment does
		log.Fatal(err)
	}
	select {
	case <-ctx.Done():
		sub.Drain()
	case <-sub.Closed(): // ended by itself
	}
	fmt.Println(errors.Is(sub.Err(), msgq.ErrClosed))
	// Output:
	// true
}
