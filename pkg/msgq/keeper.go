package msgq

import "time"

// clock is the member's time: it does not jump.
func (m *Member) clock() time.Duration { return time.Since(m.born) }

// keep watches over the ack waits of what the member holds: one goroutine for
// all, not a timer each.
func (m *Member) keep() {
	timer := time.NewTimer(m.tend())
	defer timer.Stop()
	for {
		select {
		case <-m.done:
			return
		case <-m.retend:
		case <-timer.C:
		}
		timer.Reset(m.tend())
	}
}

// tend sends progress for what waits here or is with a handler, lets go of what has
// expired or is stuck, and says when to look again: soon enough for whatever comes meanwhile.
func (m *Member) tend() time.Duration {
	next := m.queue.Load().AckWait / 3
	taken := m.takenPlace()
	now := m.clock()
	for _, d := range m.holding() {
		switch {
		case d.late(now):
			if d.settled.CompareAndSwap(false, true) { // expired: the broker gives it to another member
				m.failed(d)
				m.forget(d)
			}
		case m.stuck(d, taken, now):
			nudge(m.pull.unstick)
		case m.isParkedTooLong(d, now):
			m.giveBackParked()
		case m.paced != nil, !d.taken, d.waits.Load():
			// What was taken since the last look gets one more: its ack wait begins now.
			d.taken = d.place.Load() <= taken && !d.waits.Load()
			_ = d.Progress() // if the broker is away, the ack wait ends here as it does there
		default:
			next = min(next, max(d.left(now), time.Millisecond))
		}
	}
	return next
}

// stuck is what has waited a whole ack wait behind handlers that were fast when it was asked for. Others may get to it sooner.
func (m *Member) stuck(d *Delivery, taken uint64, now time.Duration) bool {
	return m.paced != nil && d.place.Load() > taken && now-d.came > m.queue.Load().AckWait
}

// isParkedTooLong is what has waited a whole ack wait for a place.
func (m *Member) isParkedTooLong(d *Delivery, now time.Duration) bool {
	return d.place.Load() == noPlace && now-d.came > m.queue.Load().AckWait
}

func (m *Member) giveBackParked() {
	now := m.clock()
	back := m.takeParked(func(d *Delivery) bool { return m.isParkedTooLong(d, now) })
	if len(back) > 0 {
		m.c.begin(func() { m.giveBackUncounted(back...) }) // else the client is closed, and gives all back
	}
}

// giveBackStuck leaves this member with what its handlers have.
func (m *Member) giveBackStuck() {
	m.paced.stalled()
	m.c.begin(m.giveBackWaiting) // else the client is closed, and gives all back
}

// takenPlace is the place of the last delivery taken from the channel.
func (m *Member) takenPlace() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handed - uint64(len(m.deliveries))
}

// changed takes the queue's settings as they are now.
func (m *Member) changed(q Queue) {
	before := m.queue.Swap(&q)
	if before.AckWait != q.AckWait {
		nudge(m.retend)
	}
}
