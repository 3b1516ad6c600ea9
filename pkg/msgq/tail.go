package msgq

import (
	"context"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// tail follows the end of the stream with one consumer, from the first live
// subscription on and however many there are, and keeps the newest messages in
// a ring. Before, the ring is empty and its head is where the last look found the
// end: a client that only publishes reads nothing back. The consumer
// takes every subject, so that each sequence comes in turn: where one is missing,
// the ring starts over behind the hole and readers look into the stream for what
// lay in it. That makes any loss on the way here harmless.
type tail struct {
	c       *Client
	chunks  *chunks
	reads   *reads
	filters *filters
	known   chan struct{} // closed once there is an epoch

	mu        sync.Mutex
	epoch     string // of what the ring holds; empty before the first look
	first     uint64 // the oldest sequence that the stream held at the last look
	wanted    bool   // there is or was a live subscription
	seen      mark   // the newest message
	ring      ring
	coming    map[uint64]struct{} // deleted before they came here: they may be on their way
	interests interests
	follower  follower
}

func newTail(c *Client) *tail {
	return &tail{
		c: c, chunks: newChunks(c), reads: &reads{c: c}, filters: newFilters(c.cfg.MaxFilters), known: make(chan struct{}),
		ring: ring{max: c.cfg.TailBytes}, coming: make(map[uint64]struct{}), interests: newInterests(),
	}
}

// newest is the newest message seen.
func (t *tail) newest() mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

// epochSeen takes in what a look at the stream showed. Called from one goroutine only.
func (t *tail) epochSeen(state streamState) {
	t.mu.Lock()
	fresh := t.epoch != state.Epoch
	switch {
	case fresh:
		t.startOver(state)
	case !t.wanted:
		t.ring.reset(state.Last)
		t.seen = state.newest()
	default:
		t.chunks.expire()
	}
	t.begins(state.First)
	f, wanted := t.follower, t.wanted
	t.mu.Unlock()
	if !wanted {
		return
	}
	if fresh || f.consume == nil || f.broken || f.reconnects != t.c.nc.Stats().Reconnects {
		t.start()
	}
}

// begins forgets what the stream holds no more: all before first. mu is held.
func (t *tail) begins(first uint64) {
	t.first = first
	head := t.ring.head
	t.ring.forget(first)
	if t.ring.head != head { // what was stored and removed before it came here is gone for readers too
		t.interests.wakeAll(head)
	}
}

// startOver is for another life of the stream. mu is held.
func (t *tail) startOver(state streamState) {
	if t.epoch == "" {
		close(t.known)
	}
	t.epoch = state.Epoch
	t.ring.reset(state.Last)
	t.seen = state.newest()
	clear(t.coming)
	t.chunks.drop()
	t.interests.wakeAll(0)
}

func (t *tail) add(life int, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		return // no message of a stream
	}
	seq := meta.Sequence.Stream
	var e *entry // stays nil for what goes to one queue only
	if strings.HasPrefix(msg.Subject(), t.c.names.topics) {
		e = newEntry(t.c.names.decode(msg.Subject(), msg.Headers(), msg.Data(), seq, meta.Timestamp))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	head := t.ring.head
	if life != t.follower.life || seq <= head {
		return
	}
	t.seen = mark{seq, meta.Timestamp}
	if seq > head+1 {
		t.ring.reset(seq - 1)
		t.interests.wakeAll(head)
	}
	if _, deleted := t.coming[seq]; e == nil || deleted {
		delete(t.coming, seq)
		t.ring.pass(seq)
		return
	}
	t.ring.add(e)
	t.interests.published(e.Topic, seq)
}

// tailView is what one look at the tail gives a reader.
type tailView struct {
	epoch   string
	first   uint64 // oldest sequence of the stream, at the last look
	base    uint64 // the ring holds what lies behind
	head    uint64 // newest sequence seen
	held    bool   // the ring holds all behind the reader's position
	entries []*entry
	through uint64  // the entries are all there is up to here
	wakeup  *wakeup // where there are none: closed with the next message of interest
}

// view shows what lies behind seq, for a reader with this interest; nil: none.
func (t *tail) view(seq uint64, i *interest) tailView {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := tailView{epoch: t.epoch, first: t.first, base: t.ring.base, head: t.ring.head, held: t.ring.holds(seq)}
	if i == nil || !v.held {
		return v
	}
	v.entries, v.through = t.ring.after(seq)
	if len(v.entries) == 0 {
		v.wakeup = i.wait()
	}
	return v
}

// quietTo is the position up to which nothing of interest came since w was given out.
func (t *tail) quietTo(w *wakeup) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.woken:
		return w.quiet
	default:
		return t.ring.head
	}
}

// join adds a reader; with the first one the tail begins to follow the stream.
func (t *tail) join(patterns []string) *interest {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.wanted {
		t.wanted = true
		t.c.streams.look()
	}
	return t.interests.join(patterns)
}

func (t *tail) leave(i *interest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interests.leave(i)
}

// ready waits until the tail knows its epoch.
func (t *tail) ready(ctx context.Context) error {
	select {
	case <-t.known:
		return nil
	case <-ctx.Done():
		return brokerError("live subscription", ctx.Err())
	case <-t.c.ctx.Done():
		return ErrClosed
	}
}

func (t *tail) stop() {
	t.mu.Lock()
	consume := t.follower.consume
	t.follower = follower{life: t.follower.life + 1}
	t.mu.Unlock()
	if consume != nil {
		consume.Stop()
	}
	t.chunks.stop()
	t.reads.close()
}
