package library_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// A frozen broker is what a network partition looks like: connections stay open and nothing comes back.
func TestFrozenBrokerIsUnavailableInTimeAndNothingIsLostOrDoubled(t *testing.T) {
	s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	c := s.Connect(nil)
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"load"}})
	if err != nil {
		t.Fatal(err)
	}
	handled := make(chan string, 10)
	sub, err := c.Subscribe(t.Context(), msgq.Queue{Name: "q", Topics: []string{"load"}}, func(_ context.Context, d *msgq.Delivery) error {
		handled <- d.ID
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Stop)

	s.Freeze()
	start := time.Now()
	_, err = c.Publish(t.Context(), message("0"))
	if took := time.Since(start); !errors.Is(err, msgq.ErrUnavailable) || took > 5*time.Second {
		t.Errorf("publish: error %v after %s, want ErrUnavailable within 5s", err, took)
	}
	s.Thaw()
	for _, id := range []string{"0", "1"} { // the first may be stored by now, or not
		msgqtest.Eventually(t, "publishing works again", func() bool {
			_, err := c.Publish(t.Context(), message(id))
			return err == nil
		})
	}
	for _, want := range []string{"0", "1"} {
		if id := msgqtest.Receive(t, handled, "message "+want); id != want {
			t.Errorf("the queue got %s, want %s", id, want)
		}
	}
	want := "0"
	for m, err := range live.All(msgqtest.Context(t)) {
		if err != nil || m.ID != want {
			t.Fatalf("live: message %v, error %v, want %s", m, err, want)
		}
		if want == "1" {
			return
		}
		want = "1"
	}
}
