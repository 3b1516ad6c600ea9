package fanout

import (
	"slices"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// longTurn is how long a client may wait for what its lane writes to others: where turns take longer, the hub uses more
// lanes. Not before, since each lane looks for itself at every message.
const (
	longTurn  = 1500 * time.Microsecond
	longTurns = 8 // in a row: one may have been interrupted
)

func (l *lane) spent(took time.Duration) {
	l.hub.turns.spent(took)
	l.longInARow++
	if took < longTurn {
		l.longInARow = 0
	}
	if l.longInARow >= longTurns {
		l.hub.widen(l)
	}
}

// widen has each lane give half of its subscriptions to one that was not used so far, as far as there are some. A lane with
// few has long turns for another reason.
func (h *Hub) widen(long *lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.widening || h.width == len(h.lanes) || long.subs < h.few || slices.ContainsFunc(h.lanes[:h.width], (*lane).isToSplit) {
		return
	}
	h.widening = true
	unused := h.lanes[h.width:min(2*h.width, len(h.lanes))]
	h.wg.Go(func() {
		opened := h.open(unused)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.widening = false
		for i := range opened {
			h.lanes[i].give(h.lanes[h.width+i])
		}
		h.width += opened
	})
}

// open returns how many of the lanes it opened: where the broker is gone, the next long turn tries again.
func (h *Hub) open(lanes []*lane) int {
	for i, l := range lanes {
		if l.open(h.ctx) != nil {
			return i
		}
	}
	return len(lanes)
}

// give has the goroutine hand half of the lane's members to another lane, soon.
func (l *lane) give(to *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heir = to
}

// isToSplit is for the holder of the hub's lock. A lane without subscriptions may have no goroutine that would.
func (l *lane) isToSplit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heir != nil && l.subs > 0
}

// split has each second member go on by itself from where it is, and become level in the other lane. Those that lag stay: by
// itself nothing overflows.
func (l *lane) split(to *lane, epoch string) {
	l.longInARow = 0
	stays := false
	for _, g := range l.groups {
		for _, s := range slices.Clone(g.members) {
			if s.lags.Load() != nil {
				continue
			}
			if stays = !stays; !stays {
				s.move(to, msgq.Position{Seq: l.part(s), Epoch: epoch})
			}
		}
	}
}

// move has a member that has parted go on by itself until it is level in another lane.
func (s *Subscription) move(to *lane, pos msgq.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.resume(pos) {
		return
	}
	s.hub.transfer(s.lane.Swap(to), to)
	s.readOn(false)
}

func (h *Hub) transfer(from, to *lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from.subs--
	to.subs++
}
