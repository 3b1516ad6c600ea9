package sse

import (
	"context"
	"errors"
	"time"

	"github.com/asyncmsglib/msgq/services/subscribe/fanout"
)

// commentEvery keeps proxies from taking a quiet stream for a dead one.
const commentEvery = 15 * time.Second

// stream takes the frames of one subscription to its client. The request's goroutine
// writes, and takes the next frame only when it has written: no more than one is held here.
type stream struct {
	out    *writer
	sub    *fanout.Subscription
	frames chan []byte   // unbuffered; an empty one is taken when all before it is written
	lags   chan struct{} // has room for one
	gone   chan struct{} // closed when nothing is written any more

	since  time.Time
	outage func() time.Duration
	grace  time.Duration
}

// errForsaken ends a stream whose client may reach an instance that is better off.
var errForsaken = errors.New("the broker cannot be reached")

// errGone is for what comes after the end.
var errGone = errors.New("the stream has ended")

func newStream(outage func() time.Duration, grace time.Duration) *stream {
	return &stream{
		frames: make(chan []byte), lags: make(chan struct{}, 1), gone: make(chan struct{}),
		since: time.Now(), outage: outage, grace: grace,
	}
}

// run writes, the greeting first, until the client has left or ctx ends.
func (s *stream) run(ctx context.Context, greeting []byte) error {
	defer close(s.gone)
	err := s.out.write(greeting)
	quiet := time.NewTimer(commentEvery)
	defer quiet.Stop()
	for err == nil {
		select {
		case frame := <-s.frames:
			err = s.out.write(frame)
		case <-s.lags:
			err = s.pull()
		case <-quiet.C:
			err = s.sign()
			quiet.Reset(time.Until(s.out.last.Add(commentEvery)))
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return err
}

// pull writes what the client lags behind, until it is level.
func (s *stream) pull() error {
	for frame := s.sub.Pull(); frame != nil; frame = s.sub.Pull() {
		if err := s.out.write(frame); err != nil {
			return err
		}
	}
	return nil
}

// sign gives a sign of life where one is due.
func (s *stream) sign() error {
	if min(s.outage(), time.Since(s.since)) > s.grace {
		return errForsaken
	}
	if time.Since(s.out.last) < commentEvery {
		return nil
	}
	return s.out.write([]byte(": \n\n"))
}

// Offer is [fanout.Sink]'s, and so are the other four.
func (s *stream) Offer(f *fanout.Frame) bool {
	select {
	case s.frames <- f.Keep(): // all streams share the copy
		return true
	default:
		return false
	}
}

// Wake has the stream pull.
func (s *stream) Wake() {
	select {
	case s.lags <- struct{}{}:
	default:
	}
}

// Ready waits until all is written.
func (s *stream) Ready(ctx context.Context) error { return s.send(ctx, nil) }

// Put takes a frame while the subscription catches up.
func (s *stream) Put(ctx context.Context, frame []byte) error {
	if err := s.send(ctx, frame); err != nil {
		return err
	}
	return s.send(context.WithoutCancel(ctx), nil) // until then the frame is in use
}

// Overflow is for clients that asked to be closed, which these cannot.
func (s *stream) Overflow() {}

func (s *stream) send(ctx context.Context, frame []byte) error {
	select {
	case s.frames <- frame:
		return nil
	case <-s.gone:
		return errGone
	case <-ctx.Done():
		return ctx.Err()
	}
}
