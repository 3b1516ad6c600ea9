package msgq

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// SubscribeOption changes one [Client.Subscribe].
type SubscribeOption func(*subscribeOptions)

const (
	prefetchUnset = math.MinInt
	// defaultPrefetch makes an empty handler as fast as the broker is. It is all that is allowed.
	defaultPrefetch = 1000
)

type subscribeOptions struct {
	concurrency int
	prefetch    int
	drainWait   time.Duration // for handlers to get to what waits: given back it would cost each an attempt
	middleware  []Middleware
}

// WithConcurrency runs up to n handlers at once, 1 to 1000. Default: 1.
func WithConcurrency(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.concurrency = n }
}

// WithPrefetch bounds how many messages wait here for a handler, 0 to 1000.
// Fewer do where handlers are slow: never more than the handlers, as
// measured, get to within 50 ms, so other members get their share. What waits when the process
// dies comes again only after the ack wait, as one attempt further on:
// take 0 for handlers that may kill it. Default: 1000; 0 for a queue of one attempt.
func WithPrefetch(n int) SubscribeOption {
	return func(o *subscribeOptions) { o.prefetch = n }
}

// WithMiddleware puts m around the handler, the first one outermost; given again,
// the later ones go inside.
func WithMiddleware(m ...Middleware) SubscribeOption {
	return func(o *subscribeOptions) { o.middleware = append(o.middleware, m...) }
}

func newSubscribeOptions(opts []SubscribeOption) (subscribeOptions, error) {
	o := subscribeOptions{concurrency: 1, prefetch: prefetchUnset, drainWait: 2 * prefetchWait}
	for _, opt := range opts {
		opt(&o)
	}
	if o.concurrency < 1 || o.concurrency > maxConcurrency {
		return o, fmt.Errorf("%w: concurrency %d, 1 to %d are allowed", ErrInvalidQueue, o.concurrency, maxConcurrency)
	}
	if o.prefetch != prefetchUnset && (o.prefetch < 0 || o.prefetch > maxConcurrency) {
		return o, fmt.Errorf("%w: prefetch %d, 0 to %d are allowed", ErrInvalidQueue, o.prefetch, maxConcurrency)
	}
	return o, nil
}

// prefetchFor is the default for the queue: of one attempt none may be lost with the process.
func (o subscribeOptions) prefetchFor(q Queue) int {
	switch {
	case o.prefetch != prefetchUnset:
		return o.prefetch
	case q.MaxAttempts == 1:
		return 0
	default:
		return defaultPrefetch
	}
}

// Subscription runs a handler on a queue. End it with Stop or Drain.
type Subscription struct {
	member  *Member
	handler Handler
	ctx     context.Context // of the handlers
	cancel  context.CancelFunc
	drain   chan struct{}
	once    sync.Once
	stopped atomic.Bool // no more is taken
	closed  chan struct{}
	workers sync.WaitGroup
}

// Subscribe runs the handler on the queue's messages, creating the queue if it
// does not exist, until ctx ends or Stop or Drain is called. An existing queue keeps its settings, and what differs is
// logged: [Client.PutQueue] changes them. Errors: those of [Client.Join].
func (c *Client) Subscribe(ctx context.Context, q Queue, h Handler, opts ...SubscribeOption) (*Subscription, error) {
	o, err := newSubscribeOptions(opts)
	if err == nil && h == nil {
		err = fmt.Errorf("%w: no handler", ErrInvalidQueue)
	}
	if err != nil {
		return nil, err
	}
	member, err := c.join(ctx, q, o.concurrency, &o)
	if err != nil {
		return nil, err
	}
	for _, difference := range q.differences(member.Queue()) {
		c.cfg.Logger.Warn("the queue has other settings than this subscription; PutQueue changes them", "queue", q.Name, "difference", difference)
	}
	s := &Subscription{
		member: member, handler: wrap(h, o.middleware, c.cfg.Logger),
		drain: make(chan struct{}), closed: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	go s.run(o)
	return s, nil
}

// run starts the workers and sees the subscription to its end.
func (s *Subscription) run(o subscribeOptions) {
	defer close(s.closed)
	defer s.cancel()
	idle := make(chan struct{})
	for range o.concurrency {
		s.workers.Go(s.work)
	}
	go func() { s.workers.Wait(); close(idle) }()
	select {
	case <-s.drain:
		s.member.retire()
		s.finishWaiting(idle, o.drainWait)
	case <-s.ctx.Done():
	case <-s.member.Done():
	}
	s.stopped.Store(true)
	s.member.retire()
	s.member.giveBackWaiting() // what waits goes to others now, not when the last handler is done
	select {
	case <-idle:
	case <-s.member.Done(): // the client was closed, or the queue is gone: nothing can be settled any more
		s.cancel()
		<-idle
	}
	s.member.Leave()
}

// finishWaiting leaves the handlers some time for what waits for them.
func (s *Subscription) finishWaiting(idle <-chan struct{}, within time.Duration) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	case <-s.ctx.Done():
	case <-s.member.Done():
	}
}

// Stop ends the handlers' context, waits for them, and gives back what is not done, which mostly costs it an attempt: where a
// worker is replaced, [Subscription.Drain] is better. A handler must not call either: it would wait for itself.
func (s *Subscription) Stop() {
	s.cancel()
	<-s.closed
}

// Drain takes no more messages and returns when the running handlers are done.
// What waits for a handler is handled too, or after 100 ms given back.
func (s *Subscription) Drain() {
	s.once.Do(func() { close(s.drain) })
	<-s.closed
}

// Closed is closed when the subscription has ended, for whatever cause.
func (s *Subscription) Closed() <-chan struct{} { return s.closed }

// Err tells why it ended: [ErrClosed] after Stop or Drain, [ErrQueueNotFound] for a deleted queue. Nil before.
func (s *Subscription) Err() error { return s.member.Err() }

// work ends when the member's channel is closed. It waits for nothing else: a
// select would cost each message a lock that all workers share.
func (s *Subscription) work() {
	ended := false
	defer func() {
		if !ended { // by a handler: see process
			s.workers.Go(s.work)
		}
	}()
	for d := range s.member.deliveries {
		if s.stopped.Load() || s.ctx.Err() != nil {
			<-s.member.retired // else it would come back here at once
			s.member.giveBackUnseen(d)
			continue
		}
		s.process(d)
	}
	ended = true
}

var errGoexit = errors.New("the handler ended its goroutine, as runtime.Goexit does")

func (s *Subscription) process(d *Delivery) {
	start := s.member.clock()
	if d.late(start) { // while it waited here the broker was away, and gives it to others
		return
	}
	d.open()
	if !s.member.wants(d) {
		s.member.c.settled(d.ack(start))
		return
	}
	returned := false
	defer func() {
		if !returned {
			s.member.c.settled(s.settle(context.WithoutCancel(s.ctx), d, errGoexit))
		}
	}()
	err := s.handler(s.ctx, d)
	returned = true
	end := s.member.clock()
	s.member.paced.took(end - start)
	// The handler is done with it: settle even where the subscription was stopped meanwhile.
	if err == nil {
		err = d.ack(end)
	} else {
		err = s.settle(context.WithoutCancel(s.ctx), d, err)
	}
	s.member.c.settled(err)
}

// settle does what the handler's error asks for.
func (s *Subscription) settle(ctx context.Context, d *Delivery, err error) error {
	log := s.member.c.cfg.Logger.With("queue", s.member.Queue().Name, "seq", d.Seq, "attempt", d.Attempt)
	if _, ok := errors.AsType[*skipError](err); ok {
		log.Info("message skipped", "error", err)
		return d.Ack()
	}
	if _, ok := errors.AsType[*permanentError](err); ok {
		return d.Reject(ctx, err.Error())
	}
	stopped := s.ctx.Err() != nil // cut short by us, no fault of the message
	if stopped {
		<-s.member.retired // else it would come back here at once
	}
	if _, ok := errors.AsType[*releaseError](err); ok || stopped && d.Attempt >= s.member.Queue().MaxAttempts {
		log.Info("message released", "error", err)
		return d.release(ctx)
	}
	if stopped {
		return d.NackAfter(ctx, 0, "stopped: "+err.Error())
	}
	log.Warn("handler failed", "error", err)
	if retry, ok := errors.AsType[*retryError](err); ok {
		return d.NackAfter(ctx, min(max(retry.delay, 0), maxBackoff), err.Error())
	}
	return d.Nack(ctx, err.Error())
}
