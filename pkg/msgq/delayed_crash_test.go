package msgq_test

import (
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// Its publisher may die between the claim of an id and the schedule.
func TestDelayedMessageThatWasOnlyClaimedComesWhenItIsRepeated(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := msgq.Message{Topic: "a", ID: "one", Data: []byte("x")}
	if err := c.ClaimOnly(t.Context(), m, msgq.WithDelay(time.Second)); err != nil {
		t.Fatal(err)
	}
	claimed := time.Now()
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "it would have been due", func() bool { return time.Since(claimed) > 1500*time.Millisecond })
	for range 2 {
		if _, err := c.Publish(t.Context(), m, msgq.WithDelay(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	wantOnly(t, c, live, "one")
}

// The broker forgets with a restart the ids of what was due.
func TestDelayedMessageThatWasDueIsNotStoredAgainAfterARestart(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	m := msgq.Message{Topic: "a", ID: "one", Data: []byte("x")}
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Publish(t.Context(), m, msgq.WithDelay(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "it was due", func() bool { return time.Since(first.DeliverAt) > 2*time.Second })
	s.Stop()
	s.Start()
	msgqtest.Eventually(t, "the repeat is answered", func() bool {
		r, err := c.Publish(t.Context(), m, msgq.WithDelay(time.Second))
		return err == nil && r.Duplicate && r.DeliverAt.Equal(first.DeliverAt)
	})
	wantOnly(t, c, live, "one")
}

// wantOnly wants the message once, before another one comes.
func wantOnly(t *testing.T, c *msgq.Client, live *msgq.LiveSubscription, id string) {
	t.Helper()
	ctx := msgqtest.Context(t)
	want := []string{id, "end"}
	for m, err := range live.All(ctx) {
		if err != nil || m.ID != want[0] {
			t.Fatalf("got %+v, %v, want %s", m, err, want[0])
		}
		if want = want[1:]; len(want) == 0 {
			return
		}
		time.AfterFunc(time.Second, func() { _, _ = c.Publish(ctx, msgq.Message{Topic: "a", ID: "end"}) }) // later than what is due now
	}
}

// An event of another source may have the same id and data.
func TestClaimedMessageIsNotTakenForAnotherOfItsID(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := msgq.Message{Topic: "a", ID: "one", Data: []byte("x")}
	if err := c.ClaimOnly(t.Context(), m, msgq.WithIDScope("b"), msgq.WithDelay(time.Second)); err != nil {
		t.Fatal(err)
	}
	claimed := time.Now()
	msgqtest.Eventually(t, "it would have been due", func() bool { return time.Since(claimed) > 1500*time.Millisecond })
	publish(t, c, m) // without a scope
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(t.Context(), m, msgq.WithIDScope("b"), msgq.WithDelay(time.Second)); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, c, live, "one")
}
