package msgq

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Handler processes one message of a queue. Nil acknowledges it. An error or a
// panic is a failed attempt: the message comes again after the queue's backoff,
// until MaxAttempts; a [Permanent] error makes it a dead letter at once. The
// ack wait does not run out while the handler runs. ctx ends when the
// subscription is stopped.
type Handler func(ctx context.Context, d *Delivery) error

// Permanent marks an error that another attempt cannot mend. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks an error after which the next attempt waits d, 0 to 24 h,
// instead of the queue's backoff. A nil error stays nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryError{err, d}
}

type retryError struct {
	err   error
	delay time.Duration
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// SubscribeOption changes one [Client.Subscribe].
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct{ concurrency int }

// WithConcurrency runs up to n handlers at once, 1 to 1000. Default: 1. No more
// messages than that are taken from the queue.
func WithConcurrency(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.concurrency = n }
}

// Subscription runs a handler on a queue. End it with Stop or Drain.
type Subscription struct {
	member  *Member
	handler Handler
	ctx     context.Context // of the handlers
	cancel  context.CancelFunc
	drain   chan struct{}
	once    sync.Once
	closed  chan struct{}
}

// Subscribe runs the handler on the queue's messages, creating the queue if it
// does not exist, until ctx ends or Stop or Drain is called. Errors: those of [Client.Join].
func (c *Client) Subscribe(ctx context.Context, q Queue, h Handler, opts ...SubscribeOption) (*Subscription, error) {
	o := subscribeOptions{concurrency: 1}
	for _, opt := range opts {
		opt(&o)
	}
	if o.concurrency < 1 || o.concurrency > maxConcurrency {
		return nil, fmt.Errorf("%w: concurrency %d, 1 to %d are allowed", ErrInvalidQueue, o.concurrency, maxConcurrency)
	}
	member, err := c.Join(ctx, q, o.concurrency)
	if err != nil {
		return nil, err
	}
	s := &Subscription{member: member, handler: h, drain: make(chan struct{}), closed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(ctx)
	var workers sync.WaitGroup
	for range o.concurrency {
		workers.Go(s.work)
	}
	go func() {
		workers.Wait()
		s.cancel()
		member.Leave()
		close(s.closed)
	}()
	return s, nil
}

// Stop ends the handlers' context, waits for them, and gives back what is not done.
func (s *Subscription) Stop() {
	s.cancel()
	<-s.closed
}

// Drain takes no more messages and waits until running handlers are done.
func (s *Subscription) Drain() {
	s.once.Do(func() { close(s.drain) })
	<-s.closed
}

// Closed is closed when the subscription has ended, for whatever cause.
func (s *Subscription) Closed() <-chan struct{} { return s.closed }

// Err tells why it ended: [ErrClosed] after Stop or Drain, [ErrQueueNotFound] for a deleted queue. Nil before.
func (s *Subscription) Err() error { return s.member.Err() }

func (s *Subscription) work() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.drain:
			return
		case <-s.member.Done():
			return
		default:
		}
		select {
		case <-s.ctx.Done():
		case <-s.drain:
		case <-s.member.Done():
		case d := <-s.member.Deliveries():
			s.process(d)
		}
	}
}

func (s *Subscription) process(d *Delivery) {
	stop := s.keepAlive(d)
	err := s.call(d)
	stop()
	// The handler is done with it: settle even where the subscription was stopped meanwhile.
	s.member.c.settled(s.settle(context.WithoutCancel(s.ctx), d, err))
}

// settle does what the handler's error asks for.
func (s *Subscription) settle(ctx context.Context, d *Delivery, err error) error {
	if err == nil {
		return d.Ack()
	}
	if _, ok := errors.AsType[*permanentError](err); ok {
		return d.Reject(ctx, err.Error())
	}
	if s.ctx.Err() != nil { // cut short by us, no fault of the message
		return d.NackAfter(ctx, 0, "stopped")
	}
	s.member.c.cfg.Logger.Warn("handler failed", "queue", s.member.Queue().Name, "seq", d.Seq, "attempt", d.Attempt, "error", err)
	if retry, ok := errors.AsType[*retryError](err); ok {
		return d.NackAfter(ctx, min(max(retry.delay, 0), maxBackoff), err.Error())
	}
	return d.Nack(ctx, err.Error())
}

// call runs the handler and turns a panic into an error.
func (s *Subscription) call(d *Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.member.c.cfg.Logger.Error("handler panicked", "queue", s.member.Queue().Name, "seq", d.Seq, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return s.handler(s.ctx, d)
}

// keepAlive starts the ack wait over and over until the returned function is called.
func (s *Subscription) keepAlive(d *Delivery) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(s.member.Queue().AckWait / 3)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if errors.Is(d.Progress(), ErrSettled) {
					return
				}
			}
		}
	})
	return func() { close(done); wg.Wait() }
}
