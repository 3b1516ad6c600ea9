package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

// exampleClient runs a broker in this process; with a NATS server at hand, only
// msgq.Connect with its URL is needed.
func exampleClient(ctx context.Context) (c *msgq.Client, stop func()) {
	dir, err := os.MkdirTemp("", "msgq-example-")
	if err != nil {
		log.Fatal(err)
	}
	b, err := broker.Start(broker.Config{Dir: dir, Port: -1})
	if err != nil {
		log.Fatal(err)
	}
	c, err = msgq.Connect(ctx, msgq.Config{URL: b.URL(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return c, func() {
		c.Close()
		b.Shutdown()
		_ = os.RemoveAll(dir)
	}
}

func ExampleClient_Publish() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	order := msgq.Message{
		Topic: "orders.created", ID: "order-17",
		DataContentType: "application/json", Data: []byte(`{"total":42.5}`),
	}
	first, err := client.Publish(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	again, err := client.Publish(ctx, order) // as after a lost answer
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Seq, first.Duplicate)
	fmt.Println(again.Seq, again.Duplicate)
	// Output:
	// 1 false
	// 1 true
}

func ExampleClient_Live() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	sub, err := client.Live(ctx, msgq.Live{Topics: []string{"orders.*"}, Filter: "data.total > 40"})
	if err != nil {
		log.Fatal(err)
	}
	for _, total := range []string{"12", "42.5", "99"} {
		m := msgq.Message{Topic: "orders.created", DataContentType: "application/json", Data: []byte(`{"total":` + total + `}`)}
		if _, err := client.Publish(ctx, m); err != nil {
			log.Fatal(err)
		}
	}
	for m, err := range sub.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Topic, string(m.Data))
		if m.Seq == 3 {
			break
		}
	}
	// Output:
	// orders.created {"total":42.5}
	// orders.created {"total":99}
}

func ExampleAfter() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()
	for i := range 3 {
		if _, err := client.Publish(ctx, msgq.Message{Topic: "clock.tick", ID: fmt.Sprint("tick-", i)}); err != nil {
			log.Fatal(err)
		}
	}

	// A reader that had seen the first tick goes on behind it.
	sub, err := client.Live(ctx, msgq.Live{Topics: []string{"clock.>"}, From: msgq.After(msgq.Position{Seq: 1, Epoch: client.Epoch()})})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("recovered:", sub.Recovered())
	for m, err := range sub.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.ID)
		if m.ID == "tick-2" {
			break
		}
	}
	// Output:
	// recovered: true
	// tick-1
	// tick-2
}

func ExampleClient_Subscribe() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	done := make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{
		Name: "mailer", Topics: []string{"users.created"},
		MaxAttempts: 3, Backoff: msgq.Backoff{List: []time.Duration{10 * time.Millisecond}},
	}, func(_ context.Context, d *msgq.Delivery) error {
		fmt.Println("attempt", d.Attempt, string(d.Data))
		if d.Attempt < 2 {
			return errors.New("mail server is busy") // comes again
		}
		close(done)
		return nil // acknowledged
	}, msgq.WithConcurrency(4))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "users.created", Data: []byte("ada")}); err != nil {
		log.Fatal(err)
	}
	<-done
	sub.Drain() // finish what runs, then end
	// Output:
	// attempt 1 ada
	// attempt 2 ada
}

func ExamplePermanent() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	handled := make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{Name: "billing", Topics: []string{"invoices"}},
		func(context.Context, *msgq.Delivery) error {
			defer close(handled)
			return msgq.Permanent(errors.New("no such customer"))
		})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "invoices", ID: "invoice-1"}); err != nil {
		log.Fatal(err)
	}
	<-handled
	sub.Drain() // the dead letter is written
	for d, err := range client.DeadLetters(ctx, "billing") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s after %d attempt\n", d.ID, d.Reason, d.Attempts)
	}
	// Output:
	// invoice-1: no such customer after 1 attempt
}

func ExampleClient_Join() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	member, err := client.Join(ctx, msgq.Queue{Name: "jobs", Topics: []string{"jobs.>"}}, 10)
	if err != nil {
		log.Fatal(err)
	}
	defer member.Leave() // what is not settled goes to others at once
	if _, err := client.Publish(ctx, msgq.Message{Topic: "jobs.resize", Data: []byte("cat.png")}); err != nil {
		log.Fatal(err)
	}
	d := <-member.Deliveries()
	fmt.Println(d.Topic, string(d.Data))
	if err := d.AckSync(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// jobs.resize cat.png
}
