package msgq

import "time"

// Whether groups are faster than single messages depends on whether the broker
// syncs each message to disk, which it does not tell: on one that does, they
// are several times as fast, on one that does not, several times slower. So
// both are measured under the load there is, and the faster one is used.
const (
	paceWindow = 50 * time.Millisecond // of one measurement
	paceProbe  = 5 * time.Second       // between tries of the other way
	paceMargin = 1.15                  // how much faster the other one has to be
)

// pace chooses. It knows no clock of its own.
type pace struct {
	grouped bool

	began    time.Time // of the window
	finishes int       // in it
	rate     float64   // of the way in use, when the other one is tried
	probing  bool
	probed   time.Time
}

func newPace() pace { return pace{grouped: true} }

// finished counts one concurrent publish, and is true where the way changes for good.
func (p *pace) finished(now time.Time) (changed bool) {
	p.finishes++
	elapsed := now.Sub(p.began)
	if elapsed < paceWindow {
		return false
	}
	rate := float64(p.finishes) / elapsed.Seconds()
	stale := elapsed > 4*paceWindow // there was a pause: nothing was measured
	p.began, p.finishes = now, 0
	switch {
	case stale:
		return false
	case p.probing:
		p.probing = false
		p.probed = now
		if rate > p.rate*paceMargin {
			return true
		}
		p.grouped = !p.grouped
	case now.Sub(p.probed) > paceProbe:
		p.probing = true
		p.rate = rate
		p.grouped = !p.grouped
	}
	return false
}
