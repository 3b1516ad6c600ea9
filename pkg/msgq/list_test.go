package msgq_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestDeadLettersEndThoughTheyDieAgain(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	bury(t, c, 2)
	m := join(t, c, msgq.Queue{Name: "q"}, 1)
	seen := 0
	for d, err := range c.DeadLetters(t.Context(), "q") {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if seen > 2 {
			t.Fatal("it goes on with what came meanwhile")
		}
		if n, err := c.Redrive(t.Context(), "q", msgq.SelectSeqs(d.DeadSeq)); err != nil || n != 1 {
			t.Fatalf("redrove %d, error %v", n, err)
		}
		if err := msgqtest.Receive(t, m.Deliveries(), "redriven message").Reject(t.Context(), "no"); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 2 {
		t.Errorf("%d dead letters, want 2", seen)
	}
}

func TestDelayedEndThoughMoreArePublished(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	later := func(id int) {
		if _, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: fmt.Sprint(id)}, msgq.WithDelay(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	later(0)
	seen := 0
	for d, err := range c.Delayed(t.Context(), "a") {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if d.ID != "0" {
			t.Fatal("it goes on with what came meanwhile")
		}
		later(seen)
	}
	if seen != 1 {
		t.Errorf("%d delayed messages, want 1", seen)
	}
}
