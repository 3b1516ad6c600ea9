package fanout

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Overflow is what is done for a client that does not keep up.
type Overflow int

// What is done for a client that lags too far.
const (
	CatchUp Overflow = iota // it reads on at its pace and loses nothing
	Skip                    // it jumps to the newest message and is told so
	Close                   // its sink is told to close
)

// Subscription is one live subscription. Stop ends it.
type Subscription struct {
	hub      *Hub
	lane     atomic.Pointer[lane]
	reader   Reader // whoever is behind, or the loop
	sink     Sink
	enc      Encoding
	overflow Overflow
	key      groupKey
	patterns []string

	mu     sync.Mutex
	closed atomic.Bool        // changed under mu
	cancel context.CancelFunc // of what reads by itself, nil where nothing does
	wg     sync.WaitGroup     // that

	seen   uint64       // when it joined: all up to here
	toldAt time.Time    // while it is in no group: the client last heard of a position
	at     atomic.Int64 // where it is by itself; inGroup while it is in a group

	// Its lane's loop has:
	group *group
	place int

	// While it is a member. Whoever delivers changes next: the sink's goroutine where it lags, else the loop.
	next    atomic.Uint64 // number of the frame that it needs
	lags    atomic.Pointer[group]
	through uint64 // under the group's lock: position of what was pulled
}

const inGroup = -1

// Request describes a subscription.
type Request struct {
	msgq.Live
	Overflow Overflow
	Encoding Encoding
}

// Subscribe opens a subscription; nothing is delivered before [Subscription.Start].
// Errors are those of the source.
func (h *Hub) Subscribe(ctx context.Context, r Request, sink Sink) (*Subscription, error) {
	l := h.enter()
	reader, err := l.read(ctx, r.Live)
	if err != nil {
		h.exit(l)
		return nil, err
	}
	s := &Subscription{
		hub: h, reader: reader, sink: sink, enc: r.Encoding, overflow: r.Overflow, patterns: r.Topics, toldAt: time.Now(),
		key: groupKey{encoding: r.Encoding.Key(), patterns: strings.Join(r.Topics, " "), filter: reader.Filter()},
	}
	s.lane.Store(l)
	s.at.Store(int64(reader.Position().Seq))
	return s, nil
}

// Reader has the position that the subscription begins at. Not after Start.
func (s *Subscription) Reader() Reader { return s.reader }

// Start begins to deliver.
func (s *Subscription) Start() {
	if !s.join() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.readOn(false)
	}
}

// Stop ends the subscription and waits for what it runs. The sink may still be
// offered a frame that is under way. Stop it once.
func (s *Subscription) Stop() {
	s.mu.Lock()
	s.closed.Store(true)
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	l := s.lane.Load()
	l.leave(s)
	s.hub.exit(l)
	s.wg.Wait()
	s.reader.Close()
}

// Pull is the next frame for a sink that was woken, nil where there is none.
func (s *Subscription) Pull() []byte {
	g := s.lags.Load()
	if g == nil {
		return nil
	}
	frame, messages := g.pull(s)
	if messages > 0 {
		s.enc.Delivered(messages)
	}
	return frame
}

// Position is about where the client is: everything before was written or waits to be.
func (s *Subscription) Position() uint64 {
	for g := s.lags.Load(); g != nil; g = s.lags.Load() {
		if at, ok := g.pulled(s); ok {
			return at
		}
	}
	if at := s.at.Load(); at != inGroup {
		return uint64(at)
	}
	return s.lane.Load().position()
}

// join makes it level, if it is far enough. Then it is the loop's.
func (s *Subscription) join() bool {
	at := s.at.Swap(inGroup)
	if s.lane.Load().join(s) {
		return true
	}
	s.at.Store(at)
	return false
}

// behind has it go on by itself from pos. The loop calls it, and it is in no group.
func (s *Subscription) behind(pos msgq.Position, overflow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.resume(pos) {
		return
	}
	if overflow && s.overflow == Close {
		s.sink.Overflow()
		return
	}
	s.readOn(overflow && s.overflow == Skip)
}

// resume has its reader go on from pos. It is false where it has ended. mu is held.
func (s *Subscription) resume(pos msgq.Position) bool {
	if s.closed.Load() {
		return false
	}
	s.reader.Resume(pos)
	s.at.Store(int64(pos.Seq))
	return true
}

// readOn is for the holder of mu.
func (s *Subscription) readOn(skip bool) {
	if s.closed.Load() {
		return
	}
	ctx, cancel := context.WithCancel(s.hub.ctx)
	s.cancel = cancel
	s.wg.Go(func() {
		defer cancel()
		s.catchUp(ctx, skip)
	})
}
