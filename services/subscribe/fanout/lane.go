package fanout

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// lane serves a part of the hub's subscriptions in a goroutine of its own: it reads
// the head, hands out, and waits for its next turn.
type lane struct {
	hub  *Hub
	subs int // under the hub's lock

	opening sync.Mutex // held while the head is opened, with the first subscription
	head    Head

	mu      sync.Mutex
	pos     msgq.Position // level subscriptions have seen all up to here
	joining []*Subscription
	leaving []*Subscription
	heir    *lane // gets half of the members

	// The goroutine's: groups, and the batch that it hands out now.
	index  index
	groups map[groupKey]*group
	late   []*Subscription // ahead of the head: they have seen messages that it has not reached

	batch   Batch
	prev    uint64    // the position before the batch
	bodies  [][]byte  // of its messages
	touched []*group  // those that it has messages for
	frame   Frame     // the one that is offered now
	buf     []byte    // it is made in
	place   int       // in the hub's turns
	last    time.Time // its turn began
	full    bool      // the last batch was: the next one waits already

	longInARow int // turns

	joins, leaves []*Subscription // taken from joining and leaving
}

// fullBatch is about where a batch ends: more waits behind it.
const fullBatch = 200

func newLane(h *Hub) *lane {
	return &lane{hub: h, index: newIndex(), groups: make(map[groupKey]*group)}
}

// read opens a reader for a subscription, behind the head so that one that wants what
// is new can be level at once.
func (l *lane) read(ctx context.Context, what msgq.Live) (Reader, error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	return l.hub.opts.Source.Live(ctx, what)
}

// open starts to read the head.
func (l *lane) open(ctx context.Context) error {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.head != nil {
		return nil
	}
	head, err := l.hub.opts.Source.Head(ctx)
	if err != nil {
		return err
	}
	l.head = head
	l.mu.Lock()
	l.pos = head.Position()
	l.mu.Unlock()
	l.place = l.hub.turns.join()
	l.hub.wg.Go(l.run)
	return nil
}

// close is called when run has ended.
func (l *lane) close() {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.head != nil {
		l.head.Close()
	}
}

func (l *lane) run() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for l.serve(time.Now().Add(tickEvery), pause) {
		l.tick(l.head.Position())
	}
}

// serve hands out until the time of the next tick. It is false where the hub or the client is closed.
func (l *lane) serve(until time.Time, pause *time.Timer) bool {
	ctx, cancel := context.WithDeadline(l.hub.ctx, until)
	defer cancel()
	for time.Now().Before(until) {
		if err := l.head.Wait(ctx); err != nil {
			return errors.Is(err, context.DeadlineExceeded)
		}
		if !l.full && !l.rest(time.Until(l.hub.turns.book(l.place, l.last)), pause) {
			return false
		}
		batch, err := l.head.Next(l.hub.ctx)
		if err != nil {
			return false
		}
		l.last, l.full = time.Now(), len(batch.Messages) >= fullBatch
		l.cut(batch)
		l.spent(time.Since(l.last))
	}
	return true
}

// rest is false where the hub is closed meanwhile.
func (l *lane) rest(d time.Duration, pause *time.Timer) bool {
	if d <= 0 {
		return true
	}
	pause.Reset(d)
	select {
	case <-pause.C:
		return true
	case <-l.hub.ctx.Done():
		return false
	}
}

// join makes a subscription level, unless the head is further than it. What it has
// seen already it is not given again.
func (l *lane) join(s *Subscription) bool {
	pos, ok := s.reader.Handover()
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if pos.Epoch != l.pos.Epoch || pos.Seq < l.pos.Seq {
		return false
	}
	s.seen = pos.Seq
	l.joining = append(l.joining, s)
	return true
}

// leave has the goroutine forget a subscription, soon.
func (l *lane) leave(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = append(l.leaving, s)
}

// position is that of level subscriptions.
func (l *lane) position() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pos.Seq
}
