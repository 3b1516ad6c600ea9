package msgq

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// maxFirsts bounds how many first deliveries a member remembers.
const maxFirsts = 20_000

// hold makes d one of the deliveries that the member has, or tells how to give it back.
func (m *Member) hold(d *Delivery, asked bool) (giveBack func(...*Delivery)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.learnSize(d.size())
	spare := m.countOff(d, asked)
	if m.ended || m.closed {
		return m.giveBackUnseen
	}
	at := d.reply.address()
	if late := m.held[at]; late != nil {
		late.settled.Store(true) // its ack wait was over before our own clock said so
		m.remove(late)
		m.unpark()
	}
	if !d.isCopy() {
		m.newest = max(m.newest, at.seq)
	}
	if first, ok := m.firsts[at]; ok {
		d.arrived = first
		delete(m.firsts, at)
	}
	full := len(m.held)-len(m.parked) >= m.credit
	m.held[at] = d
	m.bytes += d.size()
	switch {
	case d.Attempt > m.queue.Load().MaxAttempts:
		// No member lived to settle the last attempt. It must not reach, and
		// perhaps kill, another one.
		m.burying.Go(func() { _ = m.bury(m.c.ctx, d) })
		return nil
	case full && (spare || m.paced != nil && m.paced.prefetch == 0): // others may have a place for it: it costs no attempt
		m.remove(d)
		return m.giveBackUncounted
	case m.paced == nil && full:
		m.park(d)
	case !m.hand(d): // more than was asked for, as after an outage
		m.remove(d)
		return m.giveBackUnseen
	}
	if m.isHungry() { // what was asked for bounded it by its size, or there may be more copies
		m.pull.refill()
	}
	return nil
}

// remove is for the holder of mu.
func (m *Member) remove(d *Delivery) {
	if at := d.reply.address(); m.held[at] == d {
		delete(m.held, at)
		if i := slices.Index(m.parked, d); i >= 0 {
			m.parked = slices.Delete(m.parked, i, i+1)
		}
		m.bytes -= d.size()
	}
}

// forget makes room for another message.
func (m *Member) forget(d *Delivery) {
	m.mu.Lock()
	m.remove(d)
	m.unpark()
	hungry := m.isHungry() || m.isFreeAgain()
	m.mu.Unlock()
	if hungry {
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
	m.dropIf(func(d *Delivery) bool { return d.came < before })
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.firsts)
	m.newest = 0
}

// dropCopies is drop where it is the consumer of copies that is gone.
func (m *Member) dropCopies() { m.dropIf((*Delivery).isCopy) }

func (m *Member) dropIf(is func(*Delivery) bool) {
	for _, d := range m.holding() {
		if is(d) {
			d.settled.Store(true)
			m.forget(d)
		}
	}
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
		for at := range m.firsts {
			delete(m.firsts, at)
			break
		}
	}
	m.firsts[d.reply.address()] = d.arrived
}

// bury dead-letters d, unless the filter passes it over: who reads dead letters may not see what the filter hides.
func (m *Member) bury(ctx context.Context, d *Delivery) error {
	d.open()
	if !m.wants(d) {
		m.c.settled(d.Ack())
		return nil
	}
	return m.giveUp(ctx, d)
}

// giveUp dead-letters what had its last attempt.
func (m *Member) giveUp(ctx context.Context, d *Delivery) error {
	err := d.Reject(ctx, "not settled within max_attempts deliveries")
	if errors.Is(err, ErrSettled) {
		return nil
	}
	if err != nil {
		m.c.cfg.Logger.Warn("dead letter not written, trying again", "queue", m.Queue().Name, "seq", d.Seq, "error", err)
	}
	return err
}
