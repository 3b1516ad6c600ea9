package msgq

import (
	"sync/atomic"
	"time"
)

// prefetchWait is how long a message may wait here for a handler. Behind slow ones
// it would wait while other members are idle.
const prefetchWait = 50 * time.Millisecond

// pacedCredit lets a member take as many messages beyond those being handled as
// the handlers get to soon.
type pacedCredit struct {
	member                *Member
	concurrency, prefetch int
	mean                  atomic.Int64 // time of a handler, in ns
	now                   atomic.Int64 // prefetch as it is set
}

func newPacedCredit(m *Member, concurrency, prefetch int) *pacedCredit {
	p := &pacedCredit{member: m, concurrency: concurrency, prefetch: prefetch}
	p.mean.Store(p.slow())
	return p
}

// slow is the mean of handlers for which nothing should wait. All are taken for such
// until they show otherwise.
func (p *pacedCredit) slow() int64 { return 2 * int64(p.concurrency) * int64(prefetchWait) }

// took is told how long each handler ran. A message lost between two that tell at
// once does not matter to a mean.
func (p *pacedCredit) took(d time.Duration) {
	mean := p.mean.Load()
	p.set(mean + (int64(d)-mean)/8)
}

// stalled is told that a message waited far too long.
func (p *pacedCredit) stalled() { p.set(p.slow()) }

func (p *pacedCredit) set(mean int64) {
	p.mean.Store(mean)
	soon := int64(p.concurrency) * int64(prefetchWait) / (mean + 1)
	prefetch := min(soon, int64(p.prefetch))
	if p.now.Swap(prefetch) != prefetch {
		p.member.setCredit(p.concurrency + int(prefetch))
	}
}
