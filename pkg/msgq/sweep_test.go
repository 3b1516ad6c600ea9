package msgq_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestDueMessagesArePurgedWhenTheyWereTakenOver(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	later := stream(t, s.URL, "EVENTS_LATER")
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	publishDelayed(t, c, 20, time.Second)
	publishDelayed(t, c, 1, time.Hour)
	readDelayed(t, live, 20)

	sweepers := []*msgq.Sweeper{c.NewSweeper(), s.Connect(nil).NewSweeper(), s.Connect(nil).NewSweeper()}
	msgqtest.Eventually(t, "all sweepers have nothing left to do", func() bool {
		var wg sync.WaitGroup
		for _, sweeper := range sweepers {
			wg.Go(func() {
				if err := sweeper.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return sweepers[0].Clean() && sweepers[1].Clean() && sweepers[2].Clean()
	})
	if n := due(t, later); n != 0 {
		t.Errorf("%d due messages are left", n)
	}
	if n := later.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d messages in all, want the one that waits", n)
	}
}

func TestDueMessagesThatWereNotTakenOverAreNotPurged(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	later, events := stream(t, s.URL, "EVENTS_LATER"), stream(t, s.URL, "EVENTS")
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	sweeper := c.NewSweeper()
	sweep := func() {
		t.Helper()
		if err := sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cut := events.CachedInfo().Config
	cut.Sources = nil
	update(t, s.URL, cut)

	publishDelayed(t, c, 3, time.Second)
	msgqtest.Eventually(t, "they are due", func() bool { return due(t, later) == 3 })
	for range 5 {
		sweep()
	}
	if n := due(t, later); n != 3+1 { // and one marker, however often it was looked at
		t.Errorf("%d are left that the events do not have, want 3 and the marker", n)
	}
	update(t, s.URL, events.CachedInfo().Config)
	readDelayed(t, live, 3)
	msgqtest.Eventually(t, "they are purged", func() bool { sweep(); return due(t, later) == 0 && sweeper.Clean() })
}

func publishDelayed(t *testing.T, c *msgq.Client, n int, delay time.Duration) {
	t.Helper()
	for i := range n {
		m := msgq.Message{Topic: "a", ID: fmt.Sprint(delay, "-", i)}
		if _, err := c.Publish(t.Context(), m, msgq.WithDelay(delay)); err != nil {
			t.Fatal(err)
		}
	}
}

// readDelayed reads n messages, each of which came once.
func readDelayed(t *testing.T, live *msgq.LiveSubscription, n int) {
	t.Helper()
	seen := make(map[string]bool)
	for m, err := range live.All(msgqtest.Context(t)) {
		if err != nil || seen[m.ID] {
			t.Fatalf("message %+v, error %v", m, err)
		}
		if seen[m.ID] = true; len(seen) == n {
			return
		}
	}
}

func stream(t *testing.T, url, name string) jetstream.Stream {
	t.Helper()
	s, err := msgqtest.JetStream(t, url).Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func update(t *testing.T, url string, cfg jetstream.StreamConfig) {
	t.Helper()
	if _, err := msgqtest.JetStream(t, url).UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// due counts the due messages, markers among them.
func due(t *testing.T, later jetstream.Stream) int {
	t.Helper()
	info, err := later.Info(t.Context(), jetstream.WithSubjectFilter("events.l.due.>"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, count := range info.State.Subjects {
		n += int(count)
	}
	return n
}
