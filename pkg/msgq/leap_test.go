package msgq_test

import (
	"slices"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestAReaderLeapsOverALongPartWithoutItsTopics(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	publish(t, c, msgq.Message{Topic: "rare.a", ID: "first"})
	b := newRawStream(t, s.URL)
	for n := range 150 {
		b.must(t, "bulk", "x", 900, 1)
		if n == 110 {
			publish(t, c, msgq.Message{Topic: "rare.b", ID: "second"})
		}
	}
	c = s.Connect(nil) // with an empty ring
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"rare.a", "rare.b"}, From: msgq.FromLast(5)})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	publish(t, c, msgq.Message{Topic: "rare.a", ID: "last"})
	if got := ids(readUntil(t, sub, "last")); !slices.Equal(got, []string{"first", "second", "last"}) {
		t.Errorf("got %v", got)
	}
	if n := c.CatchUpReads(); n > 150 { // of the 264 that there are
		t.Errorf("the stream was read %d times", n)
	}
}
