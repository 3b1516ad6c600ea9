package library_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const (
	redriveDead = 2000 // of each queue, before
	redriveNew  = 5000 // published meanwhile
)

// redriveWorker refuses the first messages until it is told to take all.
type redriveWorker struct {
	mu      sync.Mutex
	takes   bool
	handled map[int]int // by n: how often
}

func (w *redriveWorker) handle(_ context.Context, d *msgq.Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.takes {
		return msgq.Permanent(errors.New("not yet"))
	}
	n, err := strconv.Atoi(string(d.Data))
	w.handled[n]++
	return err
}

func (w *redriveWorker) take() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takes = true
}

func TestRedriveUnderLoadReachesOneQueueAndLosesNothing(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	workers := map[string]*redriveWorker{"one": {handled: map[int]int{}}, "two": {handled: map[int]int{}}}
	for name, w := range workers {
		sub, err := c.Subscribe(t.Context(), msgq.Queue{Name: name, Topics: []string{"load"}}, w.handle, msgq.WithConcurrency(8))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Stop)
	}
	publishNumbers(t, c, 0, redriveDead)
	waitDead(t, c, map[string]uint64{"one": redriveDead, "two": redriveDead})
	for _, w := range workers {
		w.take()
	}

	var publishing sync.WaitGroup
	publishing.Go(func() { publishNumbers(t, c, redriveDead, redriveDead+redriveNew) })
	n, err := c.Redrive(msgqtest.Context(t), "one", msgq.SelectAll())
	if err != nil || n != redriveDead {
		t.Errorf("redriven: %d, %v, want %d", n, err, redriveDead)
	}
	publishing.Wait()
	waitDead(t, c, map[string]uint64{"one": 0, "two": redriveDead})
	for name, w := range workers {
		first := map[string]int{"one": 0, "two": redriveDead}[name] // that it has to have handled
		w.check(t, name, first)
	}
}

func (w *redriveWorker) check(t *testing.T, name string, first int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range redriveDead + redriveNew {
		if handled := w.handled[n] > 0; handled != (n >= first) {
			t.Errorf("queue %s, message %d: handled %d times", name, n, w.handled[n])
		}
	}
}

func publishNumbers(t *testing.T, c *msgq.Client, from, to int) {
	t.Helper()
	for ; from < to; from += 500 {
		items := make([]msgq.BatchItem, 500)
		for i := range items {
			items[i].Message = msgq.Message{Topic: "load", Data: []byte(strconv.Itoa(from + i))}
		}
		for _, result := range c.PublishBatch(msgqtest.Context(t), items) {
			if result.Err != nil {
				t.Errorf("publish: %v", result.Err)
			}
		}
	}
}

// waitDead waits until the queues have nothing to deliver and so many dead letters.
func waitDead(t *testing.T, c *msgq.Client, dead map[string]uint64) {
	t.Helper()
	for name, want := range dead {
		msgqtest.Eventually(t, name+" has only its dead letters", func() bool {
			info, err := c.QueueInfo(t.Context(), name)
			return err == nil && info.Ready == 0 && info.InFlight == 0 && info.Dead == want
		})
	}
}
