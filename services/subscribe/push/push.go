// Package push processes queues inside the service: it POSTs each message to
// the queue's URL and settles it by the answer.
//
// Every instance of the service is a member of every such queue. An endpoint that
// fails again and again is tried with one message at a time, with pauses that grow;
// the other messages wait meanwhile, which costs them no attempt.
package push

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Queues is where queues and their messages come from. *msgq.Client is one.
type Queues interface {
	QueueSettings(ctx context.Context) ([]msgq.Queue, error)
	// PushSecret is asked for where a queue's Push has a SecretID.
	PushSecret(ctx context.Context, queue, secretID string) (string, error)
	// Subscribe runs the handler until ctx ends or the subscription is stopped.
	Subscribe(ctx context.Context, q msgq.Queue, h msgq.Handler, opts ...msgq.SubscribeOption) (*msgq.Subscription, error)
}

// Options of a Pusher.
type Options struct {
	Queues   Queues
	Private  bool // private and loopback addresses are allowed
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Pusher runs one subscription for each queue that has a URL.
type Pusher struct {
	queues   Queues
	log      *slog.Logger
	client   *http.Client
	metrics  *metrics
	changes  chan chan struct{} // each is closed when the change holds
	running  map[string]*running
	draining sync.WaitGroup
	hurry    chan struct{} // closed when what drains has no more time
}

type running struct {
	queue    msgq.Queue
	endpoint *endpoint
	sub      *msgq.Subscription
}

// lookEvery is how soon a queue changed through another instance is noticed.
const lookEvery = 3 * time.Second

// New returns a Pusher; Run works.
func New(o Options) *Pusher {
	return &Pusher{
		queues: o.Queues, log: o.Log, client: newClient(o.Private), metrics: newMetrics(o.Registry),
		changes: make(chan chan struct{}), running: make(map[string]*running), hurry: make(chan struct{}),
	}
}

// Failing reports whether the queue's endpoint fails again and again.
func (p *Pusher) Failing(queue string) bool {
	_, failing := p.metrics.failing.Load(queue)
	return failing
}

// Changed says that a queue was created, changed or deleted, and waits until
// that holds here, but not longer than changeTimeout.
func (p *Pusher) Changed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	done := make(chan struct{})
	select {
	case p.changes <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

const changeTimeout = 2 * time.Second

// Run pushes until ctx ends, then waits for the requests under way.
func (p *Pusher) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	defer p.stopAll()
	var changed chan struct{}
	for {
		if queues, err := p.queues.QueueSettings(ctx); err == nil { // else the broker is away; what runs goes on when it is back
			p.update(ctx, queues)
		}
		if changed != nil {
			close(changed)
			changed = nil
		}
		select {
		case <-ctx.Done():
			return
		case changed = <-p.changes:
		case <-ticker.C:
		}
	}
}

// update starts, changes and stops subscriptions so that they are what the queues say.
func (p *Pusher) update(ctx context.Context, queues []msgq.Queue) {
	wanted := make(map[string]msgq.Queue)
	for _, q := range queues {
		if q.Push != nil {
			wanted[q.Name] = q
		}
	}
	for name, r := range p.running {
		q, ok := wanted[name]
		select {
		case <-r.sub.Closed(): // deleted under it
			ok = false
		default:
		}
		if !ok || q.Push.Concurrency != r.queue.Push.Concurrency {
			p.stop(r)
			delete(p.running, name)
		}
	}
	for name, q := range wanted {
		r := p.running[name]
		if r != nil && reflect.DeepEqual(q, r.queue) {
			continue
		}
		if err := p.run(ctx, q, r); err != nil {
			p.log.Warn("push did not start, trying again", "queue", name, "error", err)
		}
	}
}

// run starts pushing a queue, or has what runs go on with other settings: members hear of those that are not the endpoint's.
func (p *Pusher) run(ctx context.Context, q msgq.Queue, r *running) error {
	if r != nil && *q.Push == *r.queue.Push {
		r.queue = q
		return nil
	}
	t, err := newTarget(ctx, p.queues, q)
	if err != nil {
		return err
	}
	if r != nil {
		r.queue = q
		r.endpoint.change(t)
		return nil
	}
	e := newEndpoint(p, q.Name, t)
	// Not ended by ctx: what is under way is finished by stopAll.
	sub, err := p.queues.Subscribe(context.WithoutCancel(ctx), q, e.handle, msgq.WithConcurrency(q.Push.Concurrency))
	if err != nil {
		return err
	}
	p.running[q.Name] = &running{queue: q, endpoint: e, sub: sub}
	p.log.Info("pushing", "queue", q.Name, "concurrency", q.Push.Concurrency, "signed", t.sign != nil)
	return nil
}

// stop has requests under way finished in the background, each within its timeout.
func (p *Pusher) stop(r *running) {
	r.endpoint.stop()
	p.draining.Go(func() {
		go r.sub.Drain()
		select {
		case <-r.sub.Closed():
		case <-p.hurry:
			r.sub.Stop()
		}
	})
}

// drainTimeout leaves room for the rest within the 25 s that a stop may take.
const drainTimeout = 15 * time.Second

// stopAll cuts requests short in the end: their messages come again.
func (p *Pusher) stopAll() {
	defer time.AfterFunc(drainTimeout, func() { close(p.hurry) }).Stop()
	for _, r := range p.running {
		p.stop(r)
	}
	p.draining.Wait()
	p.client.CloseIdleConnections()
}
