package msgq

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// chunks is what readers that are too far back for the ring read from: pieces
// of the stream, each asked for once however many readers want it, and the most
// recently used ones kept. Pieces are aligned, so that readers at different
// positions share them.
type chunks struct {
	c     *Client
	slots chan struct{} // one for each read under way

	mu    sync.Mutex
	held  *simplelru.LRU[window, *chunk] // also those that are being read
	bytes int64
	loads int // how often the broker was asked, for tests
	ended bool
	wg    sync.WaitGroup
}

const (
	// chunkReads bounds how much of the broker catching up takes.
	chunkReads = 2
	// chunkAge bounds how long a message is still given to readers after it expired, or was deleted and nobody told.
	chunkAge = 5 * time.Second
	// smaller is how many times smaller the next smaller window is, for
	// messages so large that the usual one would not fit: 512, 64, 8, 1.
	smaller = 8
)

func newChunks(c *Client) *chunks {
	k := &chunks{c: c, slots: make(chan struct{}, chunkReads)}
	dropped := func(_ window, ch *chunk) { k.bytes -= ch.bytes }
	k.held, _ = simplelru.NewLRU(math.MaxInt, dropped) // bounded in bytes, below; the error is for a size of 0
	return k
}

// behind returns a chunk that reaches further than seq. limit is the sequence up
// to which it is needed at most: larger than seq, and one that the stream is
// known to have reached.
func (k *chunks) behind(ctx context.Context, seq, limit uint64) (*chunk, error) {
	for size := uint64(chunkMessages); ; size /= smaller {
		ch, err := k.get(ctx, window{seq / size * size, size}, seq, limit)
		if err != nil || ch.through > seq || size == 1 {
			return ch, err
		}
	}
}

// get waits for the chunk of a window. It reaches further than seq, unless it was cut.
func (k *chunks) get(ctx context.Context, w window, seq, limit uint64) (*chunk, error) {
	for {
		ch, err := k.lookup(w, limit)
		if err != nil {
			return nil, err
		}
		select {
		case <-ch.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if ch.err != nil || ch.through > seq || ch.cut {
			return ch, ch.err
		}
		k.forget(ch) // it ends where the ring began then, and the ring has moved on
	}
}

// lookup finds the chunk or starts to read it.
func (k *chunks) lookup(w window, limit uint64) (*chunk, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return nil, ErrClosed
	}
	if ch, ok := k.held.Get(w); ok && !ch.old() {
		return ch, nil
	}
	k.held.Remove(w)
	ch := &chunk{window: w, ready: make(chan struct{})}
	k.held.Add(w, ch)
	k.loads++
	k.wg.Go(func() { k.load(ch, limit) })
	return ch, nil
}

func (k *chunks) load(ch *chunk, limit uint64) {
	k.slots <- struct{}{} // whoever has it gives it back within a request's time
	err := ch.load(k.c.ctx, k.c, limit)
	<-k.slots
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(ch.ready)
	ch.err, ch.read = err, time.Now()
	if held, _ := k.held.Peek(ch.window); held != ch { // dropped meanwhile
		return
	}
	if err != nil {
		k.held.Remove(ch.window)
		return
	}
	ch.bytes = ch.size()
	k.bytes += ch.bytes
	for k.bytes > k.c.cfg.CatchUpBytes {
		k.held.RemoveOldest()
	}
}

func (k *chunks) forget(ch *chunk) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if held, _ := k.held.Peek(ch.window); held == ch {
		k.held.Remove(ch.window)
	}
}

// expire drops what is too old to be given out.
func (k *chunks) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.held.Keys() {
		if ch, _ := k.held.Peek(w); ch.old() {
			k.held.Remove(w)
		}
	}
}

// drop forgets everything.
func (k *chunks) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held.Purge()
}

// stop waits for the reads under way.
func (k *chunks) stop() {
	k.mu.Lock()
	k.ended = true
	k.mu.Unlock()
	k.wg.Wait()
}
