package fanout

import (
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// cut hands out one batch.
func (l *lane) cut(b Batch) {
	epoch := l.exchange(b.Position)
	l.batch = b
	if b.Reset {
		l.scatter(epoch)
		return
	}
	l.admit()
	l.dispatch()
	l.serveLate()
	for len(l.touched) > 0 {
		l.round()
	}
	clear(l.bodies) // a large batch must not stay in memory
	l.batch = Batch{}
}

// exchange moves the position on and takes in who came and went or is to go.
func (l *lane) exchange(pos msgq.Position) (epoch string) {
	l.mu.Lock()
	epoch, l.prev = l.pos.Epoch, l.pos.Seq
	l.pos = pos
	l.joins, l.joining = l.joining, l.joins[:0]
	l.leaves, l.leaving = l.leaving, l.leaves[:0]
	heir := l.heir
	l.heir = nil
	l.mu.Unlock()
	for _, s := range l.leaves {
		if s.group != nil {
			l.part(s)
		}
	}
	clear(l.leaves)
	if heir != nil {
		l.split(heir, epoch)
	}
	return epoch
}

// part takes a subscription out of its group and returns the position that it is at.
func (l *lane) part(s *Subscription) (pos uint64) {
	g := s.group
	pos = s.seen
	if s.place != noMember {
		pos = g.part(s, l.prev)
	}
	s.group = nil
	if told := g.nextTell.Add(-positionEvery); told.After(s.toldAt) {
		s.toldAt = told
	}
	g.subs--
	if g.subs == 0 {
		l.index.remove(g)
		delete(l.groups, g.key)
	}
	return pos
}

// admit gives those who joined their groups. Who is ahead of the head becomes a
// member only when that has come so far.
func (l *lane) admit() {
	for _, s := range l.joins {
		if !s.closed.Load() {
			s.group, s.place = l.groupOf(s), noMember
			s.group.subs++
			l.late = append(l.late, s)
		}
	}
	clear(l.joins)
	ahead := l.late[:0]
	for _, s := range l.late {
		switch {
		case s.group == nil: // it has left
		case s.seen <= l.prev:
			s.group.add(s)
		default:
			ahead = append(ahead, s)
		}
	}
	clear(l.late[len(ahead):])
	l.late = ahead
}

func (l *lane) groupOf(s *Subscription) *group {
	g := l.groups[s.key]
	if g == nil {
		g = &group{key: s.key, patterns: s.patterns, enc: s.enc, told: l.prev, nextTell: time.Now().Add(positionEvery)}
		l.groups[s.key] = g
		l.index.add(g)
	}
	return g
}

// dispatch finds out which messages are for which groups.
func (l *lane) dispatch() {
	l.bodies = l.bodies[:0]
	for i, m := range l.batch.Messages {
		l.bodies = append(l.bodies, nil)
		l.index.match(m, func() []*filter.Entry { return l.batch.Filters(i) }, func(g *group) {
			if len(g.items) == 0 {
				l.touched = append(l.touched, g)
			}
			g.items = append(g.items, i)
		})
	}
}

func (l *lane) body(i int) []byte {
	if l.bodies[i] == nil {
		l.bodies[i] = l.hub.bodies.of(l.batch.Messages[i])
	}
	return l.bodies[i]
}

// serveLate gives those ahead what they have not seen, each a frame of its own.
func (l *lane) serveLate() {
	rest := l.late[:0]
	for _, s := range l.late {
		if s.seen < l.batch.Position.Seq {
			if !l.offerLate(s) {
				s.behind(msgq.Position{Seq: l.part(s), Epoch: l.batch.Position.Epoch}, false)
				continue
			}
			s.seen = l.batch.Position.Seq // a member with the next batch
		}
		rest = append(rest, s)
	}
	clear(l.late[len(rest):])
	l.late = rest
}

func (l *lane) offerLate(s *Subscription) bool {
	var b []byte
	n := 0
	for _, i := range s.group.items {
		m := l.batch.Messages[i]
		if m.Seq <= s.seen {
			continue
		}
		if n == 0 {
			b = s.enc.Begin(b)
		}
		b = s.enc.Message(b, msgq.Position{Seq: m.Seq, Epoch: l.batch.Position.Epoch}, l.body(i))
		n++
	}
	if n == 0 {
		return true
	}
	if !s.sink.Offer(&Frame{bytes: s.enc.End(b, 0), messages: n}) {
		return false
	}
	s.enc.Delivered(n)
	return true
}

// scatter has everyone go on by themselves: the stream is another one, or the head
// has missed something.
func (l *lane) scatter(epoch string) {
	l.admit()
	for _, g := range l.groups {
		for len(g.members) > 0 {
			s := g.members[len(g.members)-1]
			s.behind(msgq.Position{Seq: l.part(s), Epoch: epoch}, false)
		}
	}
	for _, s := range l.late {
		s.behind(msgq.Position{Seq: l.part(s), Epoch: epoch}, false)
	}
	clear(l.late)
	l.late = l.late[:0]
}

// tick tells groups of progress without messages where that is due.
func (l *lane) tick(pos msgq.Position) {
	l.exchange(pos)
	l.batch = Batch{Position: pos}
	l.admit()
	now := time.Now()
	for _, g := range l.groups {
		if now.Before(g.nextTell) || g.told >= pos.Seq {
			continue
		}
		g.nextTell = now.Add(positionEvery)
		b := g.enc.Position(g.enc.Begin(l.buf[:0]), pos)
		l.frame = Frame{bytes: l.end(g.enc, b), before: l.prev, through: pos.Seq, position: true}
		l.offer(g)
	}
}
