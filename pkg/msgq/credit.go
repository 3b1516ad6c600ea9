package msgq

import (
	"math"
	"slices"

	"golang.org/x/time/rate"
)

// asked is what a member has asked for and does not have yet.
type asked struct {
	messages int           // each has a place
	copies   int           // they may have to share places with messages, if both come
	spare    bool          // the copy is waited for at the broker
	more     bool          // the broker may have copies: one came, and nothing said since that there are none
	copyLast bool          // the last single place went to one
	looks    *rate.Limiter // one a turn for all busy members of the queue in this client: each is a request for a copy
}

// countOff takes d off, and reports whether it was the spare copy. The caller locks.
func (m *Member) countOff(d *Delivery, asked bool) (spare bool) {
	a := &m.asked
	if !d.isCopy() {
		if asked {
			a.messages = max(0, a.messages-1)
		}
		return false
	}
	a.more = true
	if asked {
		a.copies, spare, a.spare = max(0, a.copies-1), a.spare, false
	}
	return spare
}

// due is how many messages to ask for now. The caller locks.
func (m *Member) due() int { return m.places(m.asked.messages) }

// places is how many there are beside those for what is asked for. Unless nothing else will come, a quarter of
// what may be asked for has to be free: a few at a time would cost a request each. The caller locks.
func (m *Member) places(asked int) int {
	n := m.credit - len(m.held) - asked
	if n <= 0 {
		return 0
	}
	most, more := m.fits(asked)
	n = min(n, more)
	coming := asked > 0 || m.paced != nil && len(m.deliveries) > 0
	if n <= 0 || coming && 4*n < min(m.credit, most) {
		return 0
	}
	return n
}

// isHungry reports whether there is something to ask for, or to take back. The caller locks.
func (m *Member) isHungry() bool {
	return m.due() > 0 || m.isOverCredit() || m.asked.more && m.asked.copies == 0 && m.places(0) > 0
}

// ask counts what is now asked for: messages for all places; or, if there may be copies, for half of them.
func (m *Member) ask() (messages, copies int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.asked
	switch n := m.places(0); {
	case !a.more:
		messages = m.due()
	case a.copies > 0:
		messages = m.places(a.messages + a.copies)
	case a.messages > 0: // for all places, before it was known
		copies = (n + 1) / 2
	case n == 1: // it takes turns
		if a.copyLast = !a.copyLast; a.copyLast {
			copies = 1
		} else {
			messages = 1
		}
	default:
		copies = n / 2
		messages = n - copies
	}
	a.messages += messages
	a.copies += copies
	return messages, copies
}

// unasked says that n messages or copies that were asked for will not come.
func (m *Member) unasked(copies bool, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := &m.asked; !copies {
		a.messages = max(0, a.messages-n)
	} else {
		a.copies = max(0, a.copies-n)
		a.spare = a.spare && a.copies > 0
	}
}

// noCopies says that the broker has none.
func (m *Member) noCopies() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked.more = false
}

// passed is for what came and is not held.
func (m *Member) passed(d *Delivery, asked bool) {
	m.mu.Lock()
	m.learnSize(d.size())
	m.countOff(d, asked)
	hungry := m.isHungry()
	m.mu.Unlock()
	if hungry {
		m.pull.refill()
	}
}

// waitsFor reports whether messages or copies that were asked for are not here.
func (m *Member) waitsFor(copies bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if copies {
		return m.asked.copies > 0
	}
	return m.asked.messages > 0
}

// isOverAsked reports whether handlers that were fast have had nothing since the last time, and more is asked for than they
// are: what comes next may be slow, and other members idle.
func (m *Member) isOverAsked(handed *uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	quiet := m.handed == *handed && len(m.held) == 0
	*handed = m.handed
	return m.paced != nil && quiet && m.asked.messages > m.paced.concurrency
}

// mayLook reports whether a turn should begin, at whose end copies are looked for; handed is what the member had been
// given when the last one began.
func (m *Member) mayLook(handed uint64) (now uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.asked
	busy := m.handed != handed
	return m.handed, m.isOverCredit() || a.copies == 0 && !a.more && (busy || m.waitsWithPlace())
}

// isOverCredit reports whether more messages may come than have places, since the credit was made less or a copy took one. The caller
// locks.
func (m *Member) isOverCredit() bool {
	return m.asked.messages > 0 && len(m.held)+m.asked.messages > m.credit
}

// mayWithdraw reports whether so, and nothing has come for a turn: then nothing is on its way that could be lost.
func (m *Member) mayWithdraw(handed uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handed == handed && m.isOverCredit()
}

// waitsWithPlace reports whether a message may come and have a place. The caller locks.
func (m *Member) waitsWithPlace() bool { return m.asked.messages > 0 && len(m.held) < m.credit }

// isFreeAgain reports whether it has one place since just now: its turn had ended without. The caller locks.
func (m *Member) isFreeAgain() bool { return m.waitsWithPlace() && len(m.held)+1 == m.credit }

// look counts a copy to be asked for at the end of a turn, before which the member had been given so much.
// An idle member can wait for it.
func (m *Member) look(handed uint64) (request pullRequest, ask bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.asked
	switch {
	case a.copies > 0 || a.more:
		return request, false
	case m.handed == handed && m.waitsWithPlace():
		a.copies, a.spare = 1, true
		return spare, true
	case m.handed != handed && a.looks.Allow():
		if len(m.held) >= m.credit { // it would wait here while others are idle: ask for it with the next free place
			a.more = true
			return request, false
		}
		a.copies = 1
		return noWait, true
	}
	return request, false
}

// noPlace is that of a delivery which is not in the channel.
const noPlace = math.MaxUint64

// park keeps what came beside all that has a place. The caller locks.
func (m *Member) park(d *Delivery) {
	d.place.Store(noPlace)
	m.parked = append(m.parked, d)
}

// unpark gives parked deliveries the places that are free. The caller locks.
func (m *Member) unpark() {
	for len(m.parked) > 0 && len(m.held)-len(m.parked) < m.credit && m.hand(m.parked[0]) {
		m.parked = slices.Delete(m.parked, 0, 1)
	}
}

// hand puts d into the channel if that has room. The caller locks.
func (m *Member) hand(d *Delivery) bool {
	d.place.Store(m.handed + 1)
	select {
	case m.deliveries <- d:
		m.handed++
		return true
	default:
		d.place.Store(noPlace)
		return false
	}
}

// takeParked is for those that get no place any more.
func (m *Member) takeParked(is func(*Delivery) bool) []*Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	var taken []*Delivery
	m.parked = slices.DeleteFunc(m.parked, func(d *Delivery) bool {
		if !is(d) {
			return false
		}
		taken = append(taken, d)
		return true
	})
	return taken
}
