package fanout

import (
	"sync"
	"sync/atomic"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// wave is frames that are offered at once, at most one for each group. Several
// goroutines take pieces of it. All its memory is used again.
type wave struct {
	arena  []byte // what the frames are made in
	frames []*Frame
	used   int // of frames
	pieces []piece

	next atomic.Int64 // piece to be taken
	done sync.WaitGroup
}

// piece is some members of a group, to be offered one frame.
type piece struct {
	group   *group
	frame   *Frame
	members []*Subscription
}

const (
	pieceMembers = 64
	// helpPieces is how many pieces are worth waking those who help.
	helpPieces = 2
)

// frame returns an empty one.
func (w *wave) frame() *Frame {
	if w.used == len(w.frames) {
		w.frames = append(w.frames, new(Frame))
	}
	f := w.frames[w.used]
	w.used++
	f.bytes, f.kept, f.messages, f.position = nil, nil, 0, false
	return f
}

// round builds the next frame of each group that the batch has messages for, and offers them.
func (l *loop) round() {
	more := l.touched[:0]
	for _, g := range l.touched {
		if len(g.members) == 0 { // they are late, and have had theirs
			g.items = g.items[:0]
			continue
		}
		l.build(g)
		if len(g.items) > 0 {
			more = append(more, g)
		}
		if len(l.wave.arena) > waveBytes {
			l.flush()
		}
	}
	clear(l.touched[len(more):])
	l.touched = more
	l.flush()
}

// build makes a frame of as many of the group's messages as fit.
func (l *loop) build(g *group) {
	w := &l.wave
	start := len(w.arena)
	f := w.frame()
	f.before = max(l.prev, g.through)
	b := g.enc.Begin(w.arena)
	var last *msgq.Message
	taken := 0
	for _, i := range g.items {
		body := l.body(i)
		if taken > 0 && len(b)-start+len(body) > frameBytes {
			break
		}
		last = l.batch.Messages[i]
		b = g.enc.Message(b, last, body)
		taken++
	}
	w.arena = b
	f.bytes, f.messages, f.through = g.enc.End(b, start), taken, last.Seq
	g.items = g.items[:copy(g.items, g.items[taken:])]
	if len(g.items) == 0 {
		f.through = l.batch.Position.Seq
	}
	l.begin(g, f)
	g.told = last.Seq
}

// begin gives a frame its number and puts the group's members into the wave.
// Those who lag too far are no members any more.
func (l *loop) begin(g *group, f *Frame) {
	for _, s := range g.begin(f, l.hub.opts.Buffer) {
		pos := s.through
		l.part(s)
		s.behind(msgq.Position{Seq: pos, Epoch: l.batch.Position.Epoch}, true)
	}
	g.through, g.told = f.through, f.through
	for members := g.members; len(members) > 0; {
		n := min(pieceMembers, len(members))
		l.wave.pieces = append(l.wave.pieces, piece{group: g, frame: f, members: members[:n:n]})
		members = members[n:]
	}
}

// flush offers what was built and waits until all of it was.
func (l *loop) flush() {
	w := &l.wave
	if len(w.pieces) > 0 {
		w.next.Store(0)
		if len(w.pieces) >= helpPieces {
			for range l.hub.opts.Writers - 1 {
				w.done.Add(1)
				l.waves <- w
			}
		}
		l.work(w)
		w.done.Wait()
	}
	clear(w.pieces)
	w.pieces, w.used = w.pieces[:0], 0
	w.arena = w.arena[:0]
	if cap(w.arena) > 4*waveBytes {
		w.arena = nil
	}
}

// help works on waves until the loop ends.
func (l *loop) help() {
	for w := range l.waves {
		l.work(w)
		w.done.Done()
	}
}

// work offers pieces as long as there are any.
func (l *loop) work(w *wave) {
	delivered := 0
	for {
		i := int(w.next.Add(1)) - 1
		if i >= len(w.pieces) {
			break
		}
		p := &w.pieces[i]
		for _, s := range p.members {
			if p.group.offer(s, p.frame) {
				delivered += p.frame.messages
			}
		}
	}
	if delivered > 0 {
		l.hub.opts.Delivered(delivered)
	}
}
