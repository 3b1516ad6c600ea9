package wsconn

import "sync"

// start has what waits written. mu is held.
func (o *outbox) start() {
	if o.writing || o.ended {
		return
	}
	o.writing = true
	o.wg.Go(o.drain)
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// drain writes until nothing waits.
func (o *outbox) drain() {
	buf, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		frame := o.next(buf)
		if frame == nil {
			return
		}
		if !o.wrote(len(frame), o.writeOut(frame)) {
			return
		}
	}
}

// wrote makes room again.
func (o *outbox) wrote(n int, err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.writing = false
		o.broken()
		return false
	}
	o.bytes -= n
	o.written = o.begun
	o.wake()
	return true
}

// next takes what is to be written next: what waits, in order, then what those who
// lag have missed, in turn. It is nil where there is nothing: then the goroutine ends.
func (o *outbox) next(buf *[]byte) (frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		o.writing = false
		return nil
	}
	if len(o.items) > 0 {
		return o.take(buf)
	}
	for len(o.pulls) > 0 {
		s := o.pulls[0]
		o.pulls = o.pulls[:copy(o.pulls, o.pulls[1:])]
		if s.stopped || o.last {
			continue
		}
		if frame := s.sub.Pull(); frame != nil {
			o.pulls = append(o.pulls, s)
			o.bytes += len(frame)
			return frame
		}
	}
	o.writing, o.pulls = false, nil
	return nil
}

// take removes a frame, or joins lines of together about frameBytes to one. Until it
// is written its bytes count.
func (o *outbox) take(buf *[]byte) (frame []byte) {
	n := 1
	if o.items[0].frame {
		frame = o.items[0].bytes
		o.pinged = false
	} else {
		b := append(beginFrame((*buf)[:0]), o.items[0].bytes...)
		for ; n < len(o.items) && !o.items[n].frame && len(b)+len(o.items[n].bytes) < frameBytes; n++ {
			b = append(append(b, '\n'), o.items[n].bytes...)
		}
		frame = endFrame(b, 0)
		for _, it := range o.items[:n] {
			o.bytes -= len(it.bytes)
		}
		o.bytes += len(frame)
		if *buf = b; cap(b) > 2*frameBytes {
			*buf = nil // one large message must not stay in memory
		}
	}
	o.begun += uint64(n)
	clear(o.items[:n])
	if o.items = o.items[n:]; len(o.items) == 0 {
		o.items = nil // its array may have grown large
	}
	return frame
}
