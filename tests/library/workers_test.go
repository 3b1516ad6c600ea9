package library_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const maxAttempts = 4

// workers are two members of a queue, in clients of their own.
type workers struct {
	t      *testing.T
	client *msgq.Client

	mu      sync.Mutex
	handled map[string]int // by id: how often
	wrong   []string       // deliveries with an attempt that cannot be
}

// fails says whether the handler fails each attempt at the id.
func fails(id string) bool {
	_, n, _ := strings.Cut(id, "-")
	number, _ := strconv.Atoi(n)
	return number%50 == 0
}

func watchWorkers(t *testing.T, s connector) *workers {
	t.Helper()
	w := &workers{t: t, client: s.Connect(nil), handled: make(map[string]int)}
	q := msgq.Queue{
		Name: "workers", Topics: []string{"load"}, MaxAttempts: maxAttempts, AckWait: 2 * time.Second,
		Backoff: msgq.Backoff{List: []time.Duration{20 * time.Millisecond}},
	}
	for _, client := range []*msgq.Client{w.client, s.Connect(nil)} {
		sub, err := client.Subscribe(t.Context(), q, w.handle, msgq.WithConcurrency(16))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Stop)
	}
	return w
}

func (w *workers) handle(_ context.Context, d *msgq.Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.Attempt < 1 || d.Attempt > maxAttempts {
		w.wrong = append(w.wrong, fmt.Sprintf("%s, attempt %d", d.ID, d.Attempt))
	}
	if fails(d.ID) {
		return fmt.Errorf("no %s", d.ID)
	}
	w.handled[d.ID]++
	return nil
}

// stop waits until the queue has nothing left to deliver.
func (w *workers) stop() {
	w.t.Helper()
	msgqtest.Eventually(w.t, "the queue has nothing left to deliver", func() bool {
		info, err := w.client.QueueInfo(w.t.Context(), "workers")
		return err == nil && info.Ready == 0 && info.InFlight == 0
	})
}
