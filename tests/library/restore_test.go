package library_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// A stream that lost its end, by power loss on a broker that does not sync or by a restored backup, gives sequences a second time.
func TestStreamThatLostItsEndIsAnotherEpochAndReadersAreTold(t *testing.T) {
	s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	c := s.Connect(nil)
	publish := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			msgqtest.Eventually(t, "a message is published", func() bool {
				_, err := c.Publish(t.Context(), message(strconv.Itoa(n)))
				return err == nil
			})
		}
	}
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"load"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	before := sub.Position()

	publish(0, 10)
	s.Stop()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	s.Start()
	publish(10, 20)
	readTo(t, sub, "19")
	old := sub.Position()

	s.Stop()
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.Dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	s.Start()
	msgqtest.Eventually(t, "the epoch is another", func() bool { return c.Epoch() != before.Epoch })
	publish(20, 30)
	if reset := readTo(t, sub, "29"); !reset {
		t.Error("the reader was not told")
	}
	again, err := c.Live(t.Context(), msgq.Live{Topics: []string{"load"}, From: msgq.After(old)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Close)
	if again.Recovered() {
		t.Error("a position of the lost end was recovered")
	}
	readTo(t, again, "29")
}

// readTo reads up to the message with the id, and tells whether there was a reset on the way.
func readTo(t *testing.T, sub *msgq.LiveSubscription, id string) (reset bool) {
	t.Helper()
	for {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil {
			t.Fatalf("waiting for %s: %v", id, err)
		}
		reset = reset || batch.Reset
		if n := len(batch.Messages); n > 0 && batch.Messages[n-1].ID == id {
			return reset
		}
	}
}
