package msgq_test

import (
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// A message whose publisher chose no id has one all the same, which its receipt names, however it was sent.
func TestEveryMessageHasTheIDOfItsReceipt(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	var mu sync.Mutex
	ids := make(map[uint64]string) // by seq
	note := func(r msgq.Receipt) {
		mu.Lock()
		defer mu.Unlock()
		ids[r.Seq] = r.ID
	}
	m := msgq.Message{Topic: "a", Data: []byte("x")}
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for range 50 { // alone at first, then in groups
				note(publish(t, c, m))
			}
		})
	}
	callers.Wait()
	for _, n := range []int{1, 3} {
		items := make([]msgq.BatchItem, n)
		for i := range items {
			items[i].Message = m
		}
		for _, r := range c.PublishBatch(t.Context(), append(items, msgq.BatchItem{Message: msgq.Message{Topic: "a", ID: "same"}})) { // the second time one by one
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			note(r.Receipt)
		}
		receipts, err := c.PublishAtomic(t.Context(), items)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range receipts {
			note(r)
		}
	}
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for got, err := range live.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if got.ID == "" || got.ID != ids[got.Seq] || seen[got.ID] {
			t.Fatalf("seq %d has the id %q, the receipt said %q", got.Seq, got.ID, ids[got.Seq])
		}
		if seen[got.ID] = true; len(seen) == len(ids) {
			return
		}
	}
}

func TestCopiesKeepTheIDThatABatchGave(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	q := longRetries
	q.MaxAttempts = 2
	m := join(t, c, q, 1)
	items := []msgq.BatchItem{{Message: msgq.Message{Topic: "b"}}, {Message: msgq.Message{Topic: "a"}}}
	id := c.PublishBatch(t.Context(), items)[1].ID
	for round := range 2 {
		for attempt := 1; attempt <= 2; attempt++ {
			d := msgqtest.Receive(t, m.Deliveries(), "delivery")
			if d.ID != id || d.Attempt != attempt {
				t.Errorf("round %d: attempt %d at %q, want %d at %q", round, d.Attempt, d.ID, attempt, id)
			}
			if err := d.NackAfter(t.Context(), 150*time.Millisecond, "no"); err != nil {
				t.Fatal(err)
			}
		}
		if dead := deadLetters(t, c, "q", 1)[0]; dead.ID != id {
			t.Errorf("dead letter %q, want %q", dead.ID, id)
		}
		if n, err := c.Redrive(t.Context(), "q", msgq.SelectAll()); n != 1 || err != nil {
			t.Fatalf("%d redriven, error %v", n, err)
		}
	}
}
