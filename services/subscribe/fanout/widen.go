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
	l.long++
	if took < longTurn {
		l.long = 0
	}
	if l.long >= longTurns {
		l.hub.widen()
	}
}

// widen has each lane give half of its subscriptions to one that was not used so far, as far as there are some.
func (h *Hub) widen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.widening || h.width == len(h.lanes) {
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

// split has each second member go on by itself from where it is, and become level in the other lane.
func (l *lane) split(to *lane, epoch string) {
	l.long = 0
	stays := false
	for _, g := range l.groups {
		for _, s := range slices.Clone(g.members) {
			if stays = !stays; !stays {
				s.move(to, msgq.Position{Seq: l.part(s), Epoch: epoch})
			}
		}
	}
}

func (s *Subscription) move(to *lane, pos msgq.Position) {
	if s.changeLane(to) {
		s.behind(pos, false)
	}
}

// changeLane is false where the subscription has ended.
func (s *Subscription) changeLane(to *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	s.hub.move(s.lane.Swap(to), to)
	return true
}

func (h *Hub) move(from, to *lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from.subs--
	to.subs++
}
