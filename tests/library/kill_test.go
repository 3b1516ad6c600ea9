package library_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const (
	kills      = 20
	betweenMax = 1500 // acknowledged messages between two kills, at most
)

func TestBrokerKilledTwentyTimesUnderLoadLosesAndInventsNothing(t *testing.T) {
	s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
	w := watchWorkers(t, s)
	r := watchLive(t, s)
	p := startPublishers(t, s)

	for range kills {
		p.waitFor(p.acknowledged.Load() + 1 + rand.Int64N(betweenMax))
		s.Restart()
	}
	p.waitFor(p.acknowledged.Load() + 1) // the last life takes messages too
	checkAll(t, p, r, w)
}

// checkAll ends the load and looks at what became of it.
func checkAll(t *testing.T, p *load, r *reader, w *workers) {
	t.Helper()
	published := p.stop()
	t.Logf("%d published, %d acknowledged; %d calls failed", len(published), p.acknowledged.Load(), p.failed.Load())

	stored := r.stop(published)
	checkLive(t, published, stored)
	w.stop()
	checkQueue(t, published, stored, w)
}

// checkLive: each acknowledged message once, where its publisher was told, in order, and nothing else than was published.
func checkLive(t *testing.T, published map[string]publication, stored []*msgq.Message) {
	t.Helper()
	bySeq := make(map[string]uint64, len(stored))
	last := uint64(0)
	for _, m := range stored {
		if m.Seq <= last {
			t.Errorf("live: seq %d came behind %d", m.Seq, last)
		}
		last = m.Seq
		if at, twice := bySeq[m.ID]; twice {
			t.Errorf("live: id %s at seq %d and again at %d", m.ID, at, m.Seq)
		}
		bySeq[m.ID] = m.Seq
		if !published[m.ID].attempted || string(m.Data) != "data of "+m.ID {
			t.Errorf("live: invented: id %s, data %q", m.ID, m.Data)
		}
	}
	checkAtomic(t, published, bySeq)
	for id, p := range published {
		if p.receipt.Seq != 0 && bySeq[id] != p.receipt.Seq {
			t.Errorf("live: id %s at seq %d, its publisher was told %d", id, bySeq[id], p.receipt.Seq)
		}
	}
}

// checkAtomic: of each atomic batch all is stored or nothing.
func checkAtomic(t *testing.T, published map[string]publication, stored map[string]uint64) {
	t.Helper()
	sizes := make(map[string]int)
	for id := range published {
		if batch, _, _ := strings.Cut(id, "-"); strings.HasPrefix(batch, atomicPrefix) && stored[id] != 0 {
			sizes[batch]++
		}
	}
	for batch, size := range sizes {
		if size != atomicSize {
			t.Errorf("live: %d of %d messages of %s are stored", size, atomicSize, batch)
		}
	}
	t.Logf("%d atomic batches stored", len(sizes))
}

// listDead waits for a cluster that is still finding itself.
func listDead(t *testing.T, c *msgq.Client) (dead []msgq.DeadLetter) {
	t.Helper()
	msgqtest.Eventually(t, "dead letters are listed", func() bool {
		dead = nil
		for d, err := range c.DeadLetters(msgqtest.Context(t), "workers") {
			if errors.Is(err, msgq.ErrUnavailable) {
				return false
			}
			if err != nil {
				t.Fatal(err)
			}
			dead = append(dead, d)
		}
		return true
	})
	return dead
}

// checkQueue: all that is stored was handled or is a dead letter, and nothing else.
func checkQueue(t *testing.T, published map[string]publication, stored []*msgq.Message, w *workers) {
	t.Helper()
	dead := make(map[string]msgq.DeadLetter)
	for _, d := range listDead(t, w.client) {
		if _, twice := dead[d.ID]; twice {
			t.Errorf("two dead letters for %s", d.ID)
		}
		dead[d.ID] = d
		if d.Attempts != maxAttempts || string(d.Data) != "data of "+d.ID {
			t.Errorf("dead letter %s after %d attempts, data %q", d.ID, d.Attempts, d.Data)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	again := 0
	for _, m := range stored {
		if _, isDead := dead[m.ID]; w.handled[m.ID] == 0 && !isDead {
			t.Errorf("queue: %s (seq %d) was neither handled nor dead-lettered", m.ID, m.Seq)
		}
		again += max(0, w.handled[m.ID]-1)
	}
	for id := range w.handled {
		if !published[id].attempted {
			t.Errorf("queue: invented: %s", id)
		}
	}
	for _, wrong := range w.wrong {
		t.Errorf("queue: %s", wrong)
	}
	t.Logf("%d stored; %d handled, %d of these deliveries repeats; %d dead letters", len(stored), len(w.handled), again, len(dead))
}
