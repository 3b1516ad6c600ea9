package msgq

import (
	"slices"
	"time"
)

// Whether shared batches are faster than single messages depends on how many
// callers there are, and on whether the broker syncs each message to disk, which
// it does not tell. A single message costs it 200 µs with a sync and 10 without,
// a batch 3 ms however small. So both costs are measured.
const (
	paceSpan     = 20 * time.Millisecond // callers within it count as concurrent
	paceSample   = 5 * time.Millisecond  // of a measurement of single messages, and
	paceAnswers  = 8                     // how many answers it has at least
	paceQueue    = 4                     // fewer calls at once do not keep the broker busy: nothing is measured
	paceBegin    = 1.2                   // so much cheaper batches have to be before they are begun with
	paceEnd      = 1.4                   // and so much dearer before they are given up
	paceRemember = 10 * time.Second      // how long a cost is believed: to measure it, all callers go alone for a moment
	batchCost    = 3 * time.Millisecond  // until one was measured
)

// pace chooses between single messages and batches. It knows no clock of its own.
type pace struct {
	peak, before int // most calls at once in this span and the one before
	span         time.Time

	grouped bool
	single  measured // cost of one message, alone
	batch   measured // cost of one batch

	began   time.Time // the measurement of single messages
	answers int       // in it
}

// groups reports whether a message that makes it so many calls is to share a batch.
func (p *pace) groups(calls int, now time.Time) bool {
	p.count(calls, now)
	if !p.single.known(now) {
		p.grouped = false // until singly has measured it
		return false
	}
	batch := float64(batchCost)
	if p.batch.known(now) {
		batch = float64(p.batch.typical())
	}
	if p.grouped {
		batch /= paceEnd
	} else {
		batch *= paceBegin
	}
	p.grouped = float64(p.callers())*float64(p.single.typical()) > batch
	if p.grouped {
		p.answers = 0
	}
	return p.grouped
}

func (p *pace) count(calls int, now time.Time) {
	switch elapsed := now.Sub(p.span); {
	case elapsed > 2*paceSpan:
		p.span, p.before, p.peak = now, 0, 0
	case elapsed > paceSpan:
		p.span, p.before, p.peak = now, p.peak, 0
	}
	p.peak = max(p.peak, calls)
}

// callers is how many there were at once lately.
func (p *pace) callers() int { return max(p.peak, p.before) }

// singly counts the answer to a single message, when so many others waited and no batch did.
func (p *pace) singly(waiting int, now time.Time) {
	if waiting < paceQueue {
		p.answers = 0
		return
	}
	if p.answers == 0 {
		p.began = now
	}
	p.answers++
	if took := now.Sub(p.began); took >= paceSample && p.answers > paceAnswers {
		p.single.add(took/time.Duration(p.answers-1), now)
		p.answers = 0
	}
}

// together notes how long a batch took.
func (p *pace) together(took time.Duration, now time.Time) { p.batch.add(took, now) }

// measured is a cost. One outlier among three says nothing.
type measured struct {
	last [3]time.Duration
	at   time.Time
}

func (m *measured) add(d time.Duration, now time.Time) {
	m.last[0], m.last[1], m.last[2] = m.last[1], m.last[2], d
	m.at = now
}

func (m *measured) known(now time.Time) bool { return now.Sub(m.at) <= paceRemember }

// typical is the median, and zero before there were two.
func (m *measured) typical() time.Duration {
	sorted := m.last
	slices.Sort(sorted[:])
	return sorted[1]
}
