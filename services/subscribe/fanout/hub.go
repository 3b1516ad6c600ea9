package fanout

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

const (
	// frameBytes is about how much a frame carries; a larger message has one of its own.
	frameBytes = 64 << 10
	// waveBytes bounds what is built before it is offered.
	waveBytes = 1 << 20
	// positionEvery is how often a client is told of progress without messages.
	positionEvery = 10 * time.Second
	tickEvery     = time.Second
)

// A message after a quiet spell goes at once. Then messages are gathered, since what
// costs is the write: at least so long, and longer the longer the clients took.
const (
	minGather = 3 * time.Millisecond
	maxGather = 25 * time.Millisecond
	// fullBatch is about where a batch ends: more waits behind it.
	fullBatch = 200
)

// Options of a Hub.
type Options struct {
	Source Source
	// Buffer is how many bytes of frames a group keeps for those that lag.
	Buffer int
	// Writers is how many sinks are written to at once. Default: one for each processor, at most 4.
	Writers int
	// Delivered counts messages. It may be nil.
	Delivered func(n int)
}

// Hub serves all live subscriptions of a process. Close ends it.
type Hub struct {
	opts   Options
	bodies bodies
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // loop and writers

	opening sync.Mutex // held while the head is opened, with the first subscription
	head    Head

	mu      sync.Mutex
	pos     msgq.Position // level subscriptions have seen all up to here
	joining []*Subscription
	leaving []*Subscription

	loop loop
}

// New returns a hub; it reads nothing before the first subscription.
func New(o Options) *Hub {
	if o.Writers == 0 {
		o.Writers = min(runtime.GOMAXPROCS(0), 4)
	}
	if o.Delivered == nil {
		o.Delivered = func(int) {}
	}
	h := &Hub{opts: o}
	h.loop = newLoop(h)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Close ends what runs here. Stop all subscriptions before: what is still level gets nothing more.
func (h *Hub) Close() {
	h.cancel()
	h.wg.Wait()
	h.opening.Lock()
	defer h.opening.Unlock()
	if h.head != nil {
		h.head.Close()
	}
}

// open starts to read the head. It is called before the first reader is opened, so
// that one that wants what is new can be level at once.
func (h *Hub) open(ctx context.Context) error {
	h.opening.Lock()
	defer h.opening.Unlock()
	if h.head != nil {
		return nil
	}
	head, err := h.opts.Source.Head(ctx)
	if err != nil {
		return err
	}
	h.head = head
	h.mu.Lock()
	h.pos = head.Position()
	h.mu.Unlock()
	for range h.opts.Writers - 1 {
		h.wg.Go(h.loop.help)
	}
	h.wg.Go(h.run)
	return nil
}

// run is the loop: read, hand out, gather.
func (h *Hub) run() {
	defer close(h.loop.waves)
	tick := time.Now().Add(tickEvery)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		wait, cancel := context.WithDeadline(h.ctx, tick)
		batch, err := h.head.Next(wait)
		cancel()
		if err != nil && (h.ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return // the hub or the client is closed
		}
		began := time.Now()
		if err == nil {
			h.loop.cut(batch)
		}
		if !began.Before(tick) {
			tick = began.Add(tickEvery)
			h.loop.tick(h.head.Position())
		}
		if len(batch.Messages) == 0 || len(batch.Messages) >= fullBatch {
			continue
		}
		pause.Reset(gather(time.Since(began)))
		select {
		case <-pause.C:
		case <-h.ctx.Done():
			return
		}
	}
}

// gather is how long to wait for more after a cut that took so long.
func gather(took time.Duration) time.Duration {
	return min(max(2*took, minGather), maxGather)
}

// join makes a subscription level, unless the head is further than it. What it has
// seen already it is not given again.
func (h *Hub) join(s *Subscription) bool {
	pos, ok := s.reader.Handover()
	if !ok {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if pos.Epoch != h.pos.Epoch || pos.Seq < h.pos.Seq {
		return false
	}
	s.seen = pos.Seq
	h.joining = append(h.joining, s)
	return true
}

// leave has the loop forget a subscription, soon.
func (h *Hub) leave(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaving = append(h.leaving, s)
}

// position is that of level subscriptions.
func (h *Hub) position() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos.Seq
}
