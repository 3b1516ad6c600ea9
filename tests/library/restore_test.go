package library_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// A stream that lost its end, by power loss on a broker that does not sync or by a restored backup, gives sequences a second time.
func TestStreamThatLostItsEndIsAnotherEpochAndReadersAreTold(t *testing.T) {
	for name, filled := range map[string]int{"and ends there": 0, "and was filled again to where it ended": 10, "and was filled further": 25} {
		t.Run(name, func(t *testing.T) {
			s, backup := brokerWithBackup(t)
			c := s.Connect(nil)
			sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"load"}, From: msgq.FromAll()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sub.Close)
			publish(t, c, 10, 20)
			readTo(t, sub, "19")
			old := sub.Position()

			restore(t, s, backup, filled)
			msgqtest.Eventually(t, "the epoch is another", func() bool { return c.Epoch() != old.Epoch })
			publish(t, c, 100, 110)
			if reset := readTo(t, sub, "109"); !reset {
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
			readTo(t, again, "109")
		})
	}
}

// A client that only publishes does not follow the stream, and looks at its end now and then.
func TestPublisherSeesThatTheStreamLostItsEnd(t *testing.T) {
	s, backup := brokerWithBackup(t)
	publish(t, s.Connect(nil), 10, 20)
	c := s.Connect(nil) // has seen all 20
	old := c.Epoch()
	restore(t, s, backup, 25)
	msgqtest.Eventually(t, "the epoch is another", func() bool { return c.Epoch() != old })
}

func TestBrokerThatLosesNothingKeepsItsEpoch(t *testing.T) {
	s, _ := brokerWithBackup(t)
	c := s.Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"load"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	for n := 10; n < 15; n++ {
		publish(t, c, n, n+1)
		if reset := readTo(t, sub, strconv.Itoa(n)); reset {
			t.Fatalf("the reader was told of a loss before message %d", n)
		}
		s.Restart()
	}
}

// brokerWithBackup has the messages 0 to 9, and gives a copy of its data.
func brokerWithBackup(t *testing.T) (s *msgqtest.Process, backup string) {
	t.Helper()
	s = msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	publish(t, s.Connect(nil), 0, 10)
	s.Stop()
	backup = filepath.Join(t.TempDir(), "backup")
	msgqtest.ReplaceDir(t, backup, s.Dir)
	s.Start()
	return s, backup
}

// restore puts the copy back, with so many other messages behind it before anyone sees it.
func restore(t *testing.T, s *msgqtest.Process, backup string, filled int) {
	t.Helper()
	s.Stop()
	if filled > 0 {
		other := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
		other.Stop()
		msgqtest.ReplaceDir(t, other.Dir, backup)
		other.Start()
		publish(t, other.Connect(nil), 50, 50+filled)
		other.Stop()
		backup = other.Dir
	}
	msgqtest.ReplaceDir(t, s.Dir, backup)
	s.Start()
}

// publish publishes the messages from up to and without to, each until it is stored.
func publish(t *testing.T, c *msgq.Client, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		msgqtest.Eventually(t, "a message is published", func() bool {
			_, err := c.Publish(t.Context(), message(strconv.Itoa(n)))
			return err == nil
		})
	}
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
