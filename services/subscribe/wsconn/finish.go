package wsconn

import (
	"errors"
	"os"
	"time"
)

// finish writes a last frame, after what waits or instead of it. What was begun of a
// frame is written whole.
func (o *outbox) finish(frame []byte, instead bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.last {
		return
	}
	if instead {
		o.drop()
	}
	o.taken, o.over = o.sock.taken(), time.Now().Add(maxClosing)
	_ = o.sock.SetWriteDeadline(time.Now().Add(takeTimeout))
	o.send(frame, nil)
	o.last = true
	o.wake()
}

// drop is for the holder of mu.
func (o *outbox) drop() {
	keep := 0
	if len(o.items) > 0 && o.items[0].begun {
		keep = 1
	}
	for _, it := range o.items[keep:] {
		o.bytes -= len(it.bytes)
	}
	clear(o.items[keep:])
	o.items = o.items[:keep]
}

// writeOut writes a frame. After finish that has an end, which a client that takes something puts off.
func (o *outbox) writeOut(frame []byte) error {
	for {
		n, err := o.sock.write(frame)
		if frame = frame[n:]; !errors.Is(err, os.ErrDeadlineExceeded) || !o.goesOn() {
			return err
		}
	}
}

// goesOn gives a client that has taken something since it was asked last more time.
func (o *outbox) goesOn() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken, now := o.sock.taken(), time.Now()
	if !o.last || taken <= o.taken || !now.Before(o.over) {
		return false
	}
	o.taken = taken
	_ = o.sock.SetWriteDeadline(now.Add(min(takeTimeout, o.over.Sub(now))))
	return true
}

// end drops what waits and waits for the goroutine that writes: after finish as long as
// the client may take, else not at all. It is true where all that finish left was written.
func (o *outbox) end() (told bool) {
	o.mu.Lock()
	if !o.last {
		o.ended = true
		_ = o.sock.SetWriteDeadline(time.Now())
	}
	o.wake()
	o.mu.Unlock()
	o.wg.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	told = !o.ended
	o.ended = true
	o.items, o.pulls = nil, nil
	o.wake()
	return told
}

// broken is for the holder of mu.
func (o *outbox) broken() {
	if !o.ended {
		o.ended = true
		o.wake()
		o.fail()
	}
}

// closing reports whether a close frame was or is to be written.
func (o *outbox) closing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}
