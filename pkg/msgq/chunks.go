package msgq

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// chunks is what readers that are too far back for the ring read from: pieces
// of the stream, each asked for once however many readers want it, and the most
// recently used ones kept. Pieces are aligned, so that readers at different
// positions share them.
type chunks struct {
	c     *Client
	slots chan struct{} // one for each read under way

	mu    sync.Mutex
	held  map[window]*list.Element // of *chunk
	used  list.List                // most recently used first
	bytes int64
	loads int // how often the broker was asked, for tests
	wg    sync.WaitGroup
	ended bool
}

// window is what a chunk is known by.
type window struct{ start, size uint64 }

const (
	// chunkReads bounds how much of the broker and of the connection catching up takes.
	chunkReads = 2
	// chunkAge bounds how long a message is still given to readers after it was deleted.
	chunkAge = 5 * time.Second
	// smaller is how many times smaller the next smaller window is, for
	// messages so large that the usual one would not fit: 512, 64, 8, 1.
	smaller = 8
)

func newChunks(c *Client) *chunks {
	return &chunks{c: c, slots: make(chan struct{}, chunkReads), held: make(map[window]*list.Element)}
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

// get waits for the chunk of a window, as far as it goes.
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
	if el := k.held[w]; el != nil {
		ch := chunkOf(el)
		if ch.read.IsZero() || time.Since(ch.read) < chunkAge {
			k.used.MoveToFront(el)
			return ch, nil
		}
		k.remove(el)
	}
	ch := &chunk{start: w.start, size: w.size, ready: make(chan struct{})}
	k.held[w] = k.used.PushFront(ch)
	k.loads++
	k.wg.Go(func() { k.load(ch, limit) })
	return ch, nil
}

func (k *chunks) load(ch *chunk, limit uint64) {
	k.slots <- struct{}{} // given back within the time of a request
	err := ch.load(k.c.ctx, k.c, limit)
	<-k.slots
	k.mu.Lock()
	defer k.mu.Unlock()
	ch.err, ch.read = err, time.Now()
	close(ch.ready)
	el := k.held[window{ch.start, ch.size}]
	if el == nil || chunkOf(el) != ch { // dropped meanwhile
		return
	}
	if err != nil {
		k.remove(el)
		return
	}
	k.bytes += ch.bytes()
	k.evict()
}

// evict drops the least recently used ones that are too much.
func (k *chunks) evict() {
	for el := k.used.Back(); el != nil && k.bytes > k.c.cfg.CatchUpBytes; {
		before := el.Prev()
		if !chunkOf(el).read.IsZero() {
			k.remove(el)
		}
		el = before
	}
}

func (k *chunks) forget(ch *chunk) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if el := k.held[window{ch.start, ch.size}]; el != nil && chunkOf(el) == ch {
		k.remove(el)
	}
}

// remove takes a chunk out. mu is held.
func (k *chunks) remove(el *list.Element) {
	ch := chunkOf(el)
	delete(k.held, window{ch.start, ch.size})
	k.used.Remove(el)
	if !ch.read.IsZero() && ch.err == nil {
		k.bytes -= ch.bytes()
	}
}

func chunkOf(el *list.Element) *chunk { return el.Value.(*chunk) }

// expire drops what is too old to be given out.
func (k *chunks) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for el := k.used.Back(); el != nil; {
		before := el.Prev()
		if read := chunkOf(el).read; !read.IsZero() && time.Since(read) >= chunkAge {
			k.remove(el)
		}
		el = before
	}
}

// drop forgets everything: it is of another life of the stream.
func (k *chunks) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.held)
	k.used.Init()
	k.bytes = 0
}

// stop waits for the reads under way.
func (k *chunks) stop() {
	k.mu.Lock()
	k.ended = true
	k.mu.Unlock()
	k.wg.Wait()
}
