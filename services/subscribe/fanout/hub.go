package fanout

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// frameBytes is about how much a frame carries; a larger message has one of its own.
	frameBytes = 64 << 10
	// positionEvery is how often a client is told of progress without messages.
	positionEvery = 10 * time.Second
	tickEvery     = time.Second
	// few subscriptions have a lane before the next one is used.
	few = 64
)

// Options of a Hub.
type Options struct {
	Source Source
	// Buffer is how many bytes of frames a group keeps for those that lag.
	Buffer int
	// Lanes is among how many goroutines the subscriptions are divided at most. Default: 4 for
	// each processor, at most 32.
	Lanes int
}

// Hub serves all live subscriptions of a process. Close ends it.
type Hub struct {
	opts   Options
	bodies bodies
	turns  *turns
	few    int
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the lanes

	lanes []*lane

	mu       sync.Mutex // guards the lanes' subs too
	width    int        // how many lanes are used: one for each processor, until turns take long
	widening bool
}

// New returns a hub; it reads nothing before the first subscription.
func New(o Options) *Hub {
	processors := runtime.GOMAXPROCS(0)
	if o.Lanes == 0 {
		o.Lanes = min(4*processors, 32)
	}
	h := &Hub{opts: o, turns: &turns{processors: processors}, few: few, width: min(processors, o.Lanes)}
	for range o.Lanes {
		h.lanes = append(h.lanes, newLane(h))
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Close ends what runs here. Stop all subscriptions before: what is still level gets nothing more.
func (h *Hub) Close() {
	h.cancel()
	h.wg.Wait()
	for _, l := range h.lanes {
		l.close()
	}
}

// enter finds a lane for one more subscription: the first that has few, else the one that has fewest.
func (h *Hub) enter() *lane {
	h.mu.Lock()
	defer h.mu.Unlock()
	best := h.lanes[0]
	for _, l := range h.lanes[:h.width] {
		if l.subs < best.subs {
			best = l
		}
		if l.subs < h.few {
			best = l
			break
		}
	}
	best.subs++
	return best
}

func (h *Hub) exit(l *lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.subs--
}
