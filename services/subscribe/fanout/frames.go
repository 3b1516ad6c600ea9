package fanout

import "github.com/asyncmsglib/msgq/pkg/msgq"

// round offers the next frame to each group that the batch has messages for.
func (l *lane) round() {
	more := l.touched[:0]
	for _, g := range l.touched {
		if len(g.members) == 0 { // they are late, and have had theirs
			g.items = g.items[:0]
			continue
		}
		l.build(g)
		l.offer(g)
		if len(g.items) > 0 {
			more = append(more, g)
		}
	}
	clear(l.touched[len(more):])
	l.touched = more
}

// build makes a frame of as many of the group's messages as fit.
func (l *lane) build(g *group) {
	b := g.enc.Begin(l.buf[:0])
	var last *msgq.Message
	taken := 0
	for _, i := range g.items {
		body := l.body(i)
		if taken > 0 && len(b)+len(body) > frameBytes {
			break
		}
		last = l.batch.Messages[i]
		b = g.enc.Message(b, msgq.Position{Seq: last.Seq, Epoch: l.batch.Position.Epoch}, body)
		taken++
	}
	g.items = g.items[:copy(g.items, g.items[taken:])]
	through := last.Seq
	if len(g.items) == 0 {
		through = l.batch.Position.Seq
	}
	l.frame = Frame{bytes: l.end(g.enc, b), messages: taken, before: max(l.prev, g.through), through: through}
}

// end keeps the frame's memory for the next one, unless one large message made it grow.
func (l *lane) end(enc Encoding, b []byte) []byte {
	if l.buf = b; cap(b) > 4*frameBytes {
		l.buf = nil
	}
	return enc.End(b, 0)
}

// offer numbers the frame and offers it to the group's members. Those who lag too far
// are no members any more.
func (l *lane) offer(g *group) {
	f := &l.frame
	for _, s := range g.begin(f, l.hub.opts.Buffer) {
		pos := s.through
		l.part(s)
		s.behind(msgq.Position{Seq: pos, Epoch: l.batch.Position.Epoch}, true)
	}
	g.through, g.told = f.through, f.through
	took := 0
	for _, s := range g.members {
		if g.offer(s, f) {
			took++
		}
	}
	if took*f.messages > 0 {
		g.enc.Delivered(took * f.messages)
	}
}
