package wsconn

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/services/subscribe/fanout"
)

// outbox is the one way out to a client: whole frames, one after the other, whoever
// they are from. While the socket takes them at once nothing waits here and no
// goroutine runs; else one writes what waits, bounded in bytes, until that is all.
// There is always room for one line or frame, however long.
type outbox struct {
	sock *socket
	max  int
	fail func() // called with the lock held when the socket is broken

	mu      sync.Mutex
	items   []item
	begun   uint64        // items of which the writing has begun, ever
	written uint64        // those of them that are written
	bytes   int           // of the items and of what is being written
	pulls   []*liveSub    // those that lag
	writing bool          // a goroutine does
	room    chan struct{} // closed when there is more; nil while nobody waits
	pinged  bool          // a ping waits
	last    bool          // the close frame is in: nothing more is taken
	taken   int64         // then: bytes that the client had got when it was looked at last
	over    time.Time     // and when it has no more time
	ended   bool
	wg      sync.WaitGroup // the goroutine that writes
}

// item is something to write: a line of text, which shares a frame with its
// neighbours, or a frame as it is.
type item struct {
	bytes []byte
	frame bool
	begun bool // bytes are the rest of a frame
}

// frameBytes is about how much one frame carries.
const frameBytes = 64 << 10

var errEnded = errors.New("the connection has ended")

// put adds a line, waiting for room. Lines that come close together share a frame.
func (o *outbox) put(ctx context.Context, line []byte) error {
	return o.wait(ctx, func() bool {
		if o.bytes > 0 && o.bytes+len(line) > o.max {
			return false
		}
		o.add(item{bytes: line})
		return true
	})
}

// answer is put for a line that is not followed by others soon: it is written now.
func (o *outbox) answer(ctx context.Context, line []byte) error {
	return o.wait(ctx, func() bool {
		if o.bytes > 0 && o.bytes+len(line) > o.max {
			return false
		}
		if len(o.items) > 0 {
			o.add(item{bytes: line})
		} else {
			o.send(endFrame(append(beginFrame(make([]byte, 0, maxHeader+len(line))), line...), 0), nil)
		}
		return true
	})
}

// Write takes what gorilla writes, each in one piece: the answer to the handshake, and control frames.
func (o *outbox) Write(frame []byte) (int, error) {
	if frame[0] == 0x80|opClose {
		o.finish(frame, false)
		return len(frame), nil
	}
	err := o.wait(context.Background(), func() bool {
		if o.bytes > o.max {
			return false
		}
		o.send(frame, nil)
		return true
	})
	if err != nil {
		return 0, err
	}
	return len(frame), nil
}

// offer takes a frame of the fan-out without waiting, or not at all.
func (o *outbox) offer(s *liveSub, f *fanout.Frame) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.last || s.stopped {
		return true // to nowhere
	}
	if o.writing {
		return false
	}
	o.send(f.Bytes(), f)
	return true
}

// putFrame waits until all before was written and takes a frame, which is the caller's again.
func (o *outbox) putFrame(ctx context.Context, frame []byte) error {
	return o.wait(ctx, func() bool {
		if o.bytes > 0 {
			return false
		}
		o.send(frame, nil)
		return true
	})
}

// write takes a frame when there is room and returns once all of it is written. The frame
// is the caller's again.
func (o *outbox) write(ctx context.Context, frame []byte) error {
	var place uint64
	err := o.wait(ctx, func() bool {
		if o.bytes > 0 && o.bytes+len(frame) > o.max {
			return false
		}
		o.send(frame, nil)
		place = o.begun + uint64(len(o.items))
		return true
	})
	if err != nil {
		return err
	}
	return o.wait(ctx, func() bool { return o.written >= place })
}

// drained waits until everything is written.
func (o *outbox) drained(ctx context.Context) error {
	return o.wait(ctx, func() bool { return o.bytes == 0 })
}

// pull has the subscription's frames written, which it keeps while it lags.
func (o *outbox) pull(s *liveSub) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.last {
		return
	}
	o.pulls = append(o.pulls, s)
	o.start()
}

// stop has nothing more of a subscription taken.
func (o *outbox) stop(s *liveSub) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.stopped = true
}

// ping sends one unless the last one still waits, and returns its size.
func (o *outbox) ping() (size int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.last || o.pinged {
		return 0
	}
	o.pinged = o.writing
	frame := appendHeader(nil, opPing, 0)
	o.send(frame, nil)
	return int64(len(frame))
}

// waiting is how many bytes wait for the client.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// wait repeats try, which is called with the lock held, when there may be more room.
func (o *outbox) wait(ctx context.Context, try func() bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		switch {
		case o.ended || o.last:
			return errEnded
		case ctx.Err() != nil:
			return ctx.Err()
		case try():
			return nil
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		o.mu.Lock()
	}
}

func (o *outbox) wake() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// send writes a frame at once, as far as the socket takes it, and keeps the rest. mu is held.
func (o *outbox) send(frame []byte, f *fanout.Frame) {
	n := 0
	if !o.writing {
		var err error
		if n, err = o.sock.tryWrite(frame); err != nil {
			o.broken()
			return
		}
		if n == len(frame) {
			return
		}
	}
	var rest []byte
	if f != nil {
		rest = f.Keep()[n:]
	} else {
		rest = append(rest, frame[n:]...)
	}
	o.add(item{bytes: rest, frame: true, begun: n > 0})
}

// add is for the holder of mu.
func (o *outbox) add(it item) {
	o.items = append(o.items, it)
	o.bytes += len(it.bytes)
	o.start()
}
