package wsconn

import (
	"context"
	"sync"
)

// outbox is what waits to be written to one client, bounded in bytes. It has
// always room for one line, however long.
type outbox struct {
	mu    sync.Mutex
	lines [][]byte
	bytes int
	max   int
	ready chan struct{} // has a token while there are lines
	room  chan struct{} // closed and replaced when lines are taken
}

func newOutbox(maxBytes int) *outbox {
	return &outbox{max: maxBytes, ready: make(chan struct{}, 1), room: make(chan struct{})}
}

// tryPut adds a line unless the outbox is full. Then full is closed when it is worth another try.
func (o *outbox) tryPut(line []byte) (full <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes > 0 && o.bytes+len(line) > o.max {
		return o.room
	}
	o.add(line)
	return nil
}

// put adds a line, waiting for room.
func (o *outbox) put(ctx context.Context, line []byte) error {
	for {
		full := o.tryPut(line)
		if full == nil {
			return nil
		}
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drained waits until everything was taken.
func (o *outbox) drained(ctx context.Context) error {
	for {
		o.mu.Lock()
		empty, room := o.bytes == 0, o.room
		o.mu.Unlock()
		if empty {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add is for the holder of mu.
func (o *outbox) add(line []byte) {
	o.lines = append(o.lines, line)
	o.bytes += len(line)
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take removes lines of together about n bytes, at least one, and joins them
// into buf with newlines between.
func (o *outbox) take(buf []byte, n int) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	buf = buf[:0]
	i := 0
	for ; i < len(o.lines) && (i == 0 || len(buf)+len(o.lines[i]) < n); i++ {
		if i > 0 {
			buf = append(buf, '\n')
		}
		buf = append(buf, o.lines[i]...)
		o.bytes -= len(o.lines[i])
		o.lines[i] = nil
	}
	o.lines = o.lines[i:]
	if len(o.lines) > 0 {
		o.wake()
	} else {
		o.lines = nil // its array may have grown large
	}
	if i > 0 {
		close(o.room)
		o.room = make(chan struct{})
	}
	return buf
}
