package msgq_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

// A message that is delivered later, and one that is called off.
func ExampleWithDelay() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	reminders, err := client.Live(ctx, msgq.Live{Topics: []string{"reminders"}})
	if err != nil {
		log.Fatal(err)
	}
	defer reminders.Close()
	for _, id := range []string{"call-ada", "call-bob"} {
		if _, err := client.Publish(ctx, msgq.Message{Topic: "reminders", ID: id}, msgq.WithDelay(time.Second)); err != nil {
			log.Fatal(err)
		}
	}
	if err := client.CancelDelayed(ctx, "reminders", "call-ada"); err != nil {
		log.Fatal(err)
	}
	for d, err := range client.Delayed(ctx, ">") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("waits:", d.ID)
	}
	for m, err := range reminders.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("due:", m.ID)
		break
	}
	// Output:
	// waits: call-bob
	// due: call-bob
}

// Many messages at once: each has its own result.
func ExampleClient_PublishBatch() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	results := client.PublishBatch(ctx, []msgq.BatchItem{
		{Message: msgq.Message{Topic: "orders.created", ID: "1"}},
		{Message: msgq.Message{Topic: "orders..created", ID: "2"}},
		{Message: msgq.Message{Topic: "orders.paid", ID: "3"}, Options: []msgq.PublishOption{msgq.WithTTL(time.Hour)}},
	})
	for _, r := range results {
		fmt.Println(r.Seq, r.Err != nil)
	}
	// Output:
	// 1 false
	// 0 true
	// 2 false
}

// All messages are stored, or none.
func ExampleClient_PublishAtomic() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	receipts, err := client.PublishAtomic(ctx, []msgq.BatchItem{
		{Message: msgq.Message{Topic: "accounts.1.debited", Data: []byte("10")}},
		{Message: msgq.Message{Topic: "accounts.2.credited", Data: []byte("10")}},
	})
	if err != nil {
		log.Fatal(err) // nothing is stored; as an *msgq.ItemError it says which one was wrong
	}
	for _, r := range receipts {
		fmt.Println(r.Seq, r.Topic)
	}
	// Output:
	// 1 accounts.1.debited
	// 2 accounts.2.credited
}

// A broker in this process: no server to install.
func Example_embedded() {
	dir, err := os.MkdirTemp("", "msgq-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := broker.Start(broker.Config{Dir: dir, Port: -1}) // any free port of 127.0.0.1
	if err != nil {
		log.Fatal(err)
	}
	defer b.Shutdown() // after the client
	client, err := msgq.Connect(context.Background(), msgq.Config{URL: b.URL(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	r, err := client.Publish(context.Background(), msgq.Message{Topic: "hello"})
	fmt.Println(r.Seq, err)
	// Output: 1 <nil>
}

// On SIGTERM a worker finishes what it has begun and leaves the rest to others.
func Example_gracefulStop() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	started := make(chan struct{})
	sub, err := client.Subscribe(ctx, msgq.Queue{Name: "reports", Topics: []string{"reports"}},
		func(context.Context, *msgq.Delivery) error {
			close(started)
			<-ctx.Done() // the signal comes while it works
			fmt.Println("report finished")
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Publish(ctx, msgq.Message{Topic: "reports"}); err != nil {
		log.Fatal(err)
	}
	<-started
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil { // what the system does at shutdown
		log.Fatal(err)
	}
	<-ctx.Done()
	sub.Drain()
	fmt.Println("stopped")
	// Output:
	// report finished
	// stopped
}
