package library_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// Each publish is repeated with its id until it is answered, before and after the message is due.
func TestBrokerKilledUnderDelayedLoadLosesNothing(t *testing.T) {
	s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	reader, publisher := s.Connect(nil), s.Connect(nil)
	live, err := reader.Live(t.Context(), msgq.Live{Topics: []string{"later"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	acknowledged := make(map[string]int) // and how often it came
	var answered atomic.Int64
	var publishers sync.WaitGroup
	for n := range 8 {
		publishers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				m := msgq.Message{Topic: "later", ID: fmt.Sprintf("%d-%d", n, i), Data: []byte("x")}
				if publishUntilAnswered(ctx, publisher, m) {
					mu.Lock()
					acknowledged[m.ID] = 0
					mu.Unlock()
					answered.Add(1)
				}
			}
		})
	}
	for range 3 {
		before := answered.Load()
		msgqtest.Eventually(t, "more are acknowledged", func() bool { return answered.Load() > before+100 })
		s.Restart()
	}
	stop()
	publishers.Wait()
	missing, twice := len(acknowledged), 0
	for m, err := range live.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatalf("%d of %d acknowledged messages are missing: %v", missing, len(acknowledged), err)
		}
		if came, ok := acknowledged[m.ID]; ok {
			acknowledged[m.ID]++
			if came == 0 {
				missing--
			} else {
				twice++ // docs/guarantees.md allows it for a broker that crashes in the moment
			}
		}
		if missing == 0 {
			break
		}
	}
	t.Logf("%d acknowledged, %d of them came twice", len(acknowledged), twice)
}

// publishUntilAnswered is false where ctx ended first.
func publishUntilAnswered(ctx context.Context, c *msgq.Client, m msgq.Message) bool {
	pause := time.NewTicker(300 * time.Millisecond) // so that some come again when they were due
	defer pause.Stop()
	for {
		if _, err := c.Publish(context.WithoutCancel(ctx), m, msgq.WithDelay(time.Second)); err == nil {
			return true
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return false
		}
	}
}
