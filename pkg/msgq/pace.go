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
	paceSpan    = 20 * time.Millisecond // callers within it count as concurrent
	paceSample  = 5 * time.Millisecond  // of a measurement of single messages, and
	paceAnswers = 8                     // how many answers it has at least
	paceQueue   = 4                     // fewer calls at once do not keep the broker busy: nothing is measured
	paceBegin   = 1.2                   // so much cheaper batches have to be before they are begun with
	paceEnd     = 1.4                   // and so much dearer before they are given up
	batchCost   = 3 * time.Millisecond  // until one was measured

	// While batches are sent, what single messages cost is tried again: all callers go alone for some
	// samples. At first soon, for the choice may have been made in a bad moment; not where they are so much cheaper.
	firstTrial = time.Second
	lastTrial  = 10 * time.Second
	paceSure   = 3
)

// pace chooses between single messages and batches. It knows no clock of its own.
type pace struct {
	peak, before int // most calls at once in this span and the one before
	span         time.Time

	grouped bool
	single  measured // cost of one message, alone
	batch   measured // cost of one batch

	trial time.Time     // the next one
	wait  time.Duration // for the one after it

	began   time.Time // the measurement of single messages
	answers int       // in it
}

// groups reports whether a message that makes it so many calls is to share a batch.
func (p *pace) groups(calls int, now time.Time) bool {
	p.count(calls, now)
	if p.grouped && !now.Before(p.trial) {
		p.grouped, p.single.n = false, 0
		p.wait = min(2*p.wait, lastTrial)
	}
	if !p.single.known() {
		return false
	}
	batch := float64(batchCost)
	if p.batch.known() {
		batch = float64(p.batch.least())
	}
	if p.grouped {
		batch /= paceEnd
	} else {
		batch *= paceBegin
	}
	alone := float64(p.callers()) * float64(p.single.least())
	if grouped := alone > batch; grouped != p.grouped {
		p.grouped, p.answers = grouped, 0
		p.wait = max(p.wait, firstTrial)
		if alone > paceSure*batch {
			p.wait = lastTrial
		}
		p.trial = now.Add(p.wait)
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
		p.single.add(took / time.Duration(p.answers-1))
		p.answers = 0
		if p.single.n > 2*len(p.single.last) { // no trial any more: they are the choice
			p.wait = 0
		}
	}
}

// together notes how long a batch took.
func (p *pace) together(took time.Duration) { p.batch.add(took) }

// measured is a cost: the last samples of it. What disturbs one makes it too high and never too low, so the least counts.
type measured struct {
	last [3]time.Duration
	n    int
}

func (m *measured) add(d time.Duration) {
	m.last[0], m.last[1], m.last[2] = m.last[1], m.last[2], d
	m.n++
}

// known is false until as many samples are there as count.
func (m *measured) known() bool { return m.n >= len(m.last) }

func (m *measured) least() time.Duration { return slices.Min(m.last[:]) }
