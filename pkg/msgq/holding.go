package msgq

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// maxFirsts bounds how many first deliveries a member remembers.
const maxFirsts = 20_000

// hold makes d one of the deliveries that the member has. It is false where the
// member has ended.
func (m *Member) hold(d *Delivery) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = max(0, m.asked-1)
	m.came(d.size())
	if m.ended || m.closed {
		return false
	}
	if late := m.held[d.reply.stored]; late != nil {
		late.settled.Store(true) // its ack wait was over before our own clock said so
		m.remove(late)
	}
	m.newest = max(m.newest, d.reply.stored)
	if first, ok := m.firsts[d.reply.stored]; ok {
		d.arrived = first
		delete(m.firsts, d.reply.stored)
	}
	m.held[d.reply.stored] = d
	m.bytes += d.size()
	if d.Attempt > m.queue.Load().MaxAttempts {
		// No member lived to settle the last attempt. It must not reach, and
		// perhaps kill, another one.
		m.burying.Go(func() { m.bury(d) })
		return true
	}
	d.place = m.handed + 1
	select {
	case m.deliveries <- d:
		m.handed++
		if m.due() > 0 { // what was asked for bounded it by its size
			m.pull.refill()
		}
		return true
	default: // more than was asked for, as after an outage
		m.remove(d)
		return false
	}
}

// remove is for the holder of mu.
func (m *Member) remove(d *Delivery) {
	if m.held[d.reply.stored] == d {
		delete(m.held, d.reply.stored)
		m.bytes -= d.size()
	}
}

// forget makes room for another message.
func (m *Member) forget(d *Delivery) {
	m.mu.Lock()
	m.remove(d)
	due := m.due() > 0
	m.mu.Unlock()
	if due {
		m.pull.refill()
	}
}

// holding returns what the member has.
func (m *Member) holding() []*Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.held))
}

// drop lets go of everything that came before that time, from an earlier consumer of the queue or before
// it was sought: an answer would be taken for one to the new delivery of that sequence.
func (m *Member) drop(before time.Duration) {
	for _, d := range m.holding() {
		if d.came < before {
			d.settled.Store(true)
			m.forget(d)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.firsts)
	m.newest = 0
}

// due is how many messages to ask for now. Unless nothing else will come, a quarter of
// what may be asked for has to be: a few at a time would cost a request each. The caller locks.
func (m *Member) due() int {
	n := m.credit - len(m.held) - m.asked
	if n <= 0 {
		return 0
	}
	most, more := m.fits()
	n = min(n, more)
	coming := m.asked > 0 || m.paced != nil && len(m.deliveries) > 0
	if n <= 0 || coming && 4*n < min(m.credit, most) {
		return 0
	}
	return n
}

// ask counts what is now asked for.
func (m *Member) ask() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.due()
	m.asked += n
	return n
}

// unasked says that n messages asked for will not come, or need no room. It
// reports whether more should be asked for.
func (m *Member) unasked(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = max(0, m.asked-n)
	return m.due() > 0
}

// passed is for what came and is not held.
func (m *Member) passed(d *Delivery) {
	m.mu.Lock()
	m.came(d.size())
	m.mu.Unlock()
	if m.unasked(1) {
		m.pull.refill()
	}
}

// waits reports whether something asked for is not here.
func (m *Member) waits() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked > 0
}

// idles reports whether handlers that were fast have had nothing since the last time, and more is asked for than they
// are: what comes next may be slow, and other members idle.
func (m *Member) idles(handed *uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	quiet := m.handed == *handed && len(m.held) == 0
	*handed = m.handed
	return m.paced != nil && quiet && m.asked > m.paced.concurrency
}

// last is the highest sequence that the member was given.
func (m *Member) last() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.newest
}

// first is the time of the first delivery. Where that was to another member, and
// nothing was kept of it, it is the first that this one saw.
func (d *Delivery) first() time.Time {
	if d.copied != nil && !d.copied.first.IsZero() {
		return d.copied.first
	}
	return d.member.born.Add(d.arrived)
}

// failed remembers the first delivery of a message that comes again.
func (m *Member) failed(d *Delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.firsts) >= maxFirsts { // most of them came again elsewhere
		for stored := range m.firsts {
			delete(m.firsts, stored)
			break
		}
	}
	m.firsts[d.reply.stored] = d.arrived
}

// bury dead-letters d.
func (m *Member) bury(d *Delivery) {
	d.open()
	err := d.Reject(m.c.ctx, "not settled within max_attempts deliveries")
	if err != nil && !errors.Is(err, ErrSettled) {
		m.c.cfg.Logger.Warn("dead letter not written, trying again", "queue", m.Queue().Name, "seq", d.Seq, "error", err)
	}
}
