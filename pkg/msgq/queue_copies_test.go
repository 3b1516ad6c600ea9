package msgq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// redrive sends n dead letters of queue q back to it.
func redrive(t *testing.T, c *msgq.Client, n int) {
	t.Helper()
	if got, err := c.Redrive(t.Context(), "q", msgq.SelectAll()); got != n || err != nil {
		t.Fatalf("%d redriven, error %v, want %d", got, err, n)
	}
}

// isBuried tells what bury made from what fillStream did.
func isBuried(d *msgq.Delivery) bool { return d.DataContentType == "application/json" }

func TestCreditHoldsOverMessagesAndCopies(t *testing.T) {
	const n = 60
	for _, credit := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(credit), func(t *testing.T) {
			t.Parallel()
			c := msgqtest.NewServer(t).Connect(nil)
			bury(t, c, n)
			m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 2}, credit)
			var sending sync.WaitGroup
			sending.Go(func() { redrive(t, c, n) })
			sending.Go(func() {
				for i := range n {
					publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprintf("new-%d", i)})
				}
			})
			defer sending.Wait()
			seen := make(map[string]bool)
			var held []*msgq.Delivery
			for len(seen) < 2*n {
				held = append(held, msgqtest.Receive(t, m.Deliveries(), "delivery"))
				for more := true; more; { // what it was given at once
					select {
					case d := <-m.Deliveries():
						held = append(held, d)
					default:
						more = false
					}
				}
				if len(held) > credit {
					t.Fatalf("%d deliveries are held, the credit is %d", len(held), credit)
				}
				for _, d := range held {
					if d.Attempt != 1 || seen[d.ID] {
						t.Errorf("%s: attempt %d, seen before: %t", d.ID, d.Attempt, seen[d.ID])
					}
					seen[d.ID] = true
					if err := d.AckSync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				held = nil
			}
			wantInfo(t, c, "all is done", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 && i.WaitingRetry == 0 })
		})
	}
}

// TestCopyAndMessageAtOnce has an idle member asked for both in the same moment.
func TestCopyAndMessageAtOnce(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	const n = 20
	for _, d := range bury(t, c, n) {
		m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1}, 1)
		msgqtest.Eventually(t, "a copy is waited for", func() bool { return copiesInfo(t, s).NumWaiting == 1 })
		var sending sync.WaitGroup
		sending.Go(func() {
			if got, err := c.Redrive(t.Context(), "q", msgq.SelectSeqs(d.DeadSeq)); got != 1 || err != nil {
				t.Errorf("%d redriven, error %v", got, err)
			}
		})
		sending.Go(func() { publish(t, c, msgq.Message{Topic: "a", ID: "new-" + d.ID}) })
		sending.Wait()
		got := make(map[string]bool)
		for range 2 {
			one := msgqtest.Receive(t, m.Deliveries(), "delivery")
			if len(m.Deliveries()) > 0 {
				t.Error("a second delivery over the credit")
			}
			got[one.ID] = true
			if err := one.AckSync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !got[d.ID] || !got["new-"+d.ID] {
			t.Errorf("got %v", got)
		}
		m.Leave()
	}
	if dead := deadIDs(t, c); dead != "[]" {
		t.Errorf("dead letters %s", dead)
	}
}

func TestMessagesAndCopiesTakeTurns(t *testing.T) {
	const n = 400
	for name, test := range map[string]struct{ concurrency, prefetch int }{
		"one at a time":   {1, 0},
		"ten at a time":   {10, 0},
		"with prefetch":   {1, 20},
		"all of it":       {1, 1000},
		"two, prefetch 1": {2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := msgqtest.NewServer(t)
			c := s.Connect(nil)
			bury(t, c, n)
			redrive(t, c, n)
			fillStream(t, msgqtest.JetStream(t, s.URL), "events.t.a", n)
			publish(t, c, msgq.Message{Topic: "a", ID: "end"})
			var messages, copies atomic.Int64
			done := make(chan [2]int64, 2)
			subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(_ context.Context, d *msgq.Delivery) error {
				<-time.After(time.Duration(test.concurrency) * 4 * time.Millisecond) // as long as a handler takes
				is := &messages
				if isBuried(d) {
					is = &copies
				}
				if is.Add(1) == n {
					done <- [2]int64{messages.Load(), copies.Load()}
				}
				return nil
			}, msgq.WithConcurrency(test.concurrency), msgq.WithPrefetch(test.prefetch))
			first := msgqtest.Receive(t, done, "all of one kind")
			if min(first[0], first[1]) < n/10 {
				t.Errorf("%d messages and %d copies were handled when all of one kind were", first[0], first[1])
			}
			msgqtest.Receive(t, done, "all of the other kind")
		})
	}
}

func TestOneCopyComesThroughABacklog(t *testing.T) {
	for name, opts := range map[string][]msgq.SubscribeOption{"one at a time": {msgq.WithPrefetch(0)}, "as it comes": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := msgqtest.NewServer(t)
			c := s.Connect(nil)
			bury(t, c, 1)
			const n = 50_000
			fillStream(t, msgqtest.JetStream(t, s.URL), "events.t.a", n)
			var handled atomic.Int64
			came := make(chan int64, 1)
			subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(_ context.Context, d *msgq.Delivery) error {
				if isBuried(d) {
					came <- handled.Load()
				}
				handled.Add(1)
				<-time.After(100 * time.Microsecond)
				return nil
			}, opts...)
			redrive(t, c, 1)
			if before := msgqtest.Receive(t, came, "the copy"); before > n/2 {
				t.Errorf("%d of %d messages were handled before the copy", before, n)
			}
		})
	}
}

// copiesInfo is of the consumer of queue q's copies.
func copiesInfo(t *testing.T, s *msgqtest.Server) *jetstream.ConsumerInfo {
	t.Helper()
	consumer, err := stream(t, s.URL, "EVENTS_LATER").Consumer(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	return consumer.CachedInfo()
}

// loseCopiesConsumer has queue q be one that has none.
func loseCopiesConsumer(t *testing.T, s *msgqtest.Server) {
	t.Helper()
	if err := msgqtest.JetStream(t, s.URL).DeleteConsumer(t.Context(), "EVENTS_LATER", "q"); err != nil {
		t.Fatal(err)
	}
}

func TestConsumerOfCopiesIsMadeWhereItIsNotThere(t *testing.T) {
	t.Run("by a member", func(t *testing.T) {
		s := msgqtest.NewServer(t)
		c := s.Connect(nil)
		bury(t, c, 2)
		loseCopiesConsumer(t, s)
		redrive(t, c, 2)
		m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
		first := msgqtest.Receive(t, m.Deliveries(), "delivery")
		if err := first.AckSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		loseCopiesConsumer(t, s) // the other comes again, and so may this one
		for msgqtest.Receive(t, m.Deliveries(), "delivery").ID == first.ID {
		}
	})
	t.Run("by a pull", func(t *testing.T) {
		s := msgqtest.NewServer(t)
		c := s.Connect(nil)
		bury(t, c, 1)
		loseCopiesConsumer(t, s)
		redrive(t, c, 1)
		msgqtest.Eventually(t, "it is pulled", func() bool {
			pulled, err := c.Pull(t.Context(), "q", 1, 0)
			return err == nil && len(pulled) == 1 && pulled[0].ID == "0"
		})
	})
}

func TestCopiesAreRemovedWhenTheyAreDone(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 5)
	redrive(t, c, 5)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour}, 5)
	var got []*msgq.Delivery
	for range 5 {
		got = append(got, msgqtest.Receive(t, m.Deliveries(), "delivery"))
	}
	sweeper := c.NewSweeper()
	left := func(n int) {
		t.Helper()
		msgqtest.Eventually(t, fmt.Sprintf("%d copies are left", n), func() bool {
			if err := sweeper.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return int(stream(t, s.URL, "EVENTS_LATER").CachedInfo().State.Msgs) == n
		})
	}
	ack := func(i int) {
		t.Helper()
		if err := got[i].AckSync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ack(0)
	ack(1)
	ack(3)
	left(3)
	ack(2)
	ack(4)
	left(0)
	msgqtest.Eventually(t, "nothing is left to do", func() bool { return sweeper.Sweep(t.Context()) == nil && sweeper.Clean() })
}

func TestCopiesOfAQueueHaveItsAckWaitAndItsEnd(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 2)
	redrive(t, c, 2)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: 7 * time.Second})
	if wait := copiesInfo(t, s).Config.AckWait; wait != 7*time.Second {
		t.Errorf("ack wait %s", wait)
	}
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	msgqtest.Receive(t, m.Deliveries(), "delivery")
	wantInfo(t, c, "one is out", func(i msgq.QueueInfo) bool { return i.Ready == 1 && i.InFlight == 1 && i.Delivered == 3 })
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	if left := stream(t, s.URL, "EVENTS_LATER").CachedInfo().State; left.Msgs != 0 || left.Consumers != 0 {
		t.Errorf("left: %+v", left)
	}
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	wantInfo(t, c, "a new queue", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 && i.Delivered == 0 })
}
