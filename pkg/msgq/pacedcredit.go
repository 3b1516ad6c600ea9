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

func newPacedCredit(m *Member, o subscribeOptions) *pacedCredit {
	p := &pacedCredit{member: m, concurrency: o.concurrency, prefetch: o.prefetch}
	p.mean.Store(int64(time.Duration(o.concurrency) * prefetchWait)) // slow until it is known
	return p
}

// took is told how long each handler ran. A message lost between two that tell at
// once does not matter to a mean.
func (p *pacedCredit) took(d time.Duration) {
	mean := p.mean.Load()
	mean += (int64(d) - mean) / 8
	p.mean.Store(mean)
	soon := int64(p.concurrency) * int64(prefetchWait) / (mean + 1)
	prefetch := min(soon, int64(p.prefetch))
	if p.now.Swap(prefetch) != prefetch {
		p.member.setCredit(p.concurrency + int(prefetch))
	}
}
