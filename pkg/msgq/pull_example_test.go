package msgq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// A worker that asks for its messages, as a cron job or a function does, and settles them by
// their tags: also from another process. SeekQueue has the queue start over.
func ExampleClient_Pull() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, stop := exampleClient(ctx)
	defer stop()

	if _, err := client.PutQueue(ctx, msgq.Queue{Name: "reports", Topics: []string{"months.>"}}); err != nil {
		log.Fatal(err)
	}
	for _, month := range []string{"july", "august"} {
		if _, err := client.Publish(ctx, msgq.Message{Topic: "months.closed", Data: []byte(month)}); err != nil {
			log.Fatal(err)
		}
	}
	work := func() {
		pulled, err := client.Pull(ctx, "reports", 10, 5*time.Second)
		if err != nil {
			log.Fatal(err)
		}
		var tags []string
		for _, m := range pulled {
			fmt.Printf("%s, attempt %d\n", m.Data, m.Attempt)
			tags = append(tags, m.Tag)
		}
		errs, err := client.Settle(ctx, "reports", tags, msgq.Acked())
		if err != nil {
			log.Fatal(err)
		}
		for _, err := range errs { // one for each tag
			if err != nil {
				log.Fatal(err)
			}
		}
	}
	work()
	if err := client.SeekQueue(ctx, "reports", msgq.FromLast(1)); err != nil {
		log.Fatal(err)
	}
	work()
	// Output:
	// july, attempt 1
	// august, attempt 1
	// august, attempt 1
}
