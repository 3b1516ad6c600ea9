package fanout

import (
	"slices"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// group is all subscriptions that get the same frames. It belongs to the hub's
// loop, except for what mu guards.
type group struct {
	key      groupKey
	patterns []string
	enc      Encoding
	interest *interest
	subs     int // members and those that will be
	members  []*Subscription

	items    []int  // of the batch: which messages are for it
	told     uint64 // the position that members know
	through  uint64 // the position behind the last frame
	nextTell time.Time

	mu      sync.Mutex
	number  uint64 // of the next frame; the loop alone changes it
	lagging []*Subscription
	kept    []keptFrame // the last frames, as far back as one that lags may want
	bytes   int         // of them
}

type groupKey struct {
	encoding, patterns string
	filter             *filter.Entry
}

// noMember is the place of a subscription that is ahead of its group.
const noMember = -1

type keptFrame struct {
	bytes    []byte
	through  uint64
	messages int
}

func (g *group) add(s *Subscription) {
	s.place = len(g.members)
	s.next.Store(g.number)
	g.members = append(g.members, s)
}

func (g *group) remove(s *Subscription) {
	last := len(g.members) - 1
	g.members[s.place] = g.members[last]
	g.members[s.place].place = s.place
	g.members[last] = nil
	g.members = g.members[:last]
	s.place = noMember
}

// offer gives a member a frame, if it is for it to take. It reports whether the sink took it.
func (g *group) offer(s *Subscription, f *Frame) bool {
	if s.lags.Load() != nil || s.next.Load() != f.number {
		return false // it pulls this one, or has
	}
	if f.position && time.Since(s.toldAt) < positionEvery {
		s.next.Store(f.number + 1)
		return false
	}
	if s.sink.Offer(f) {
		s.next.Store(f.number + 1)
		return true
	}
	g.lag(s, f)
	s.sink.Wake()
	return false
}

// lag has the member pull this frame and what comes after.
func (g *group) lag(s *Subscription, f *Frame) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lagging) == 0 {
		g.keep(f)
	}
	g.lagging = append(g.lagging, s)
	s.through = f.before
	s.lags.Store(g)
}

// keep is for the holder of mu.
func (g *group) keep(f *Frame) {
	g.kept = append(g.kept, keptFrame{bytes: f.Keep(), through: f.through, messages: f.messages})
	g.bytes += len(f.bytes)
}

// begin is called with each frame before it is offered. It returns those for whom
// more than limit would have to be kept: they are no longer taken for lagging.
func (g *group) begin(f *Frame, limit int) (lost []*Subscription) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f.number = g.number
	g.number++
	if len(g.lagging) == 0 {
		return nil
	}
	g.keep(f)
	dropped := 0
	for g.bytes > limit && len(g.kept)-dropped > 1 {
		g.bytes -= len(g.kept[dropped].bytes)
		dropped++
	}
	if dropped == 0 {
		return nil
	}
	oldest := g.number - uint64(len(g.kept)-dropped)
	g.kept = slices.Delete(g.kept, 0, dropped)
	for _, s := range g.lagging {
		if s.next.Load() < oldest {
			lost = append(lost, s)
		}
	}
	for _, s := range lost {
		g.level(s)
	}
	return lost
}

// pull is the next frame for a member that lags, nil where it is level.
func (g *group) pull(s *Subscription) ([]byte, int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.lags.Load() != g {
		return nil, 0
	}
	behind := g.number - s.next.Load()
	if behind == 0 {
		g.level(s)
		return nil, 0
	}
	f := g.kept[uint64(len(g.kept))-behind]
	s.next.Add(1)
	s.through = f.through
	return f.bytes, f.messages
}

// pulled is how far a member that lags has come. ok is false where it lags no more.
func (g *group) pulled(s *Subscription) (pos uint64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.lags.Load() != g {
		return 0, false
	}
	return s.through, true
}

// level takes a member off those that lag. mu is held.
func (g *group) level(s *Subscription) {
	s.lags.Store(nil)
	g.lagging = slices.DeleteFunc(g.lagging, func(other *Subscription) bool { return other == s })
	if len(g.lagging) == 0 {
		g.kept, g.bytes = nil, 0
	}
}

// part takes a member out and returns the position that it has seen everything up to.
func (g *group) part(s *Subscription, level uint64) (pos uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	pos = level
	if s.lags.Load() != nil {
		pos = s.through
		g.level(s)
	}
	g.remove(s)
	return pos
}
