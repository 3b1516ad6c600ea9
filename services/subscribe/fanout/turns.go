package fanout

import (
	"sync"
	"time"
)

// A message after a quiet spell goes at once. Others wait for more to go with them, since
// what costs is the write: a lane has a turn in each cycle, which is at least so long, and longer the longer writing takes.
const (
	minCycle = 4 * time.Millisecond
	// maxCycle is the longest where writing leaves the processors time.
	maxCycle = 16 * time.Millisecond
)

// turns says when lanes hand out: each once in a cycle, at a time of its own that is as far from the others' as can be, so
// that a message waits for the writes of its client's lane, not for those of all, and what comes from the broker is read in between.
type turns struct {
	processors int

	mu    sync.Mutex
	lanes int           // in use
	took  time.Duration // by a turn, on average
	began time.Time     // a cycle
}

// join returns the lane's place in the cycle. It is called by each lane once.
func (t *turns) join() (place int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lanes == 0 {
		t.began = time.Now()
	}
	t.lanes++
	return t.lanes - 1
}

// book returns when a lane hands out a message that has come now. last is when it had
// its last turn.
func (t *turns) book(place int, last time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, cycle := time.Now(), t.cycle()
	if now.Sub(last) >= cycle {
		return now // a quiet spell ends
	}
	// The one before may have been late, or one at once.
	earliest := last.Add(cycle / 2)
	if earliest.Before(now) {
		earliest = now
	}
	t.began = t.began.Add(now.Sub(t.began).Truncate(cycle))
	turn := t.began.Add(time.Duration(place) * cycle / time.Duration(t.lanes))
	for turn.Before(earliest) {
		turn = turn.Add(cycle)
	}
	return turn
}

// cycle is three times what all lanes take, so that most of the time nobody writes, and
// beyond maxCycle as long as all processors write, so that they do more than that.
func (t *turns) cycle() time.Duration {
	all := t.took * time.Duration(t.lanes)
	return max(minCycle, min(3*all, maxCycle), all/time.Duration(t.processors)+t.took)
}

// spent takes in how long a turn took.
func (t *turns) spent(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took += (min(took, maxTurn) - t.took) / averageOf
}

const (
	averageOf = 16                     // turns, about
	maxTurn   = 100 * time.Millisecond // counts of one: one that was interrupted says little
)
