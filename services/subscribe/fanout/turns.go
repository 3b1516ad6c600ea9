package fanout

import (
	"sync"
	"time"
)

// A message after a quiet spell goes at once. Others wait for more to go with them, since
// what costs is the write: at least so long, and longer the longer writing takes.
const (
	minGather = 3 * time.Millisecond
	// maxGather is the longest where writing leaves the processors time.
	maxGather = 10 * time.Millisecond
)

// turns says when lanes hand out: one after the other, spread evenly over the time that they gather, so that a message waits
// for the writes of its client's lane, not for those of all, and what comes from the broker is read in between.
type turns struct {
	processors int

	mu    sync.Mutex
	lanes int           // in use
	took  time.Duration // by a cut, on average: one that was interrupted says little
	next  time.Time     // until then others have their turns
}

// join is called by each lane once.
func (t *turns) join() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lanes++
}

// book returns when a lane hands out a message that has come now. last is when it had
// its last turn.
func (t *turns) book(last time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, gather := time.Now(), t.gather()
	if now.Sub(last) >= gather {
		return now // a quiet spell ends
	}
	turn := now.Add(gather)
	if turn.Before(t.next) {
		turn = t.next
	}
	t.next = turn.Add(gather / time.Duration(t.lanes))
	return turn
}

// gather is twice what all lanes take, so that half of the time at least nobody writes, and
// beyond maxGather as long as all processors write, so that they do more than that.
func (t *turns) gather() time.Duration {
	all := t.took * time.Duration(t.lanes)
	return max(minGather, min(2*all, maxGather), all/time.Duration(t.processors))
}

// spent takes in how long a cut took.
func (t *turns) spent(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took += (took - t.took) / averageOf
}

const averageOf = 16 // cuts, about
