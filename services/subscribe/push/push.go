// Package push processes queues inside the service: it POSTs each message to
// the queue's URL and settles it by the answer.
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
	Queues(ctx context.Context) ([]msgq.QueueInfo, error)
	// Subscribe runs the handler until ctx ends or the subscription is stopped.
	Subscribe(ctx context.Context, q msgq.Queue, h msgq.Handler, opts ...msgq.SubscribeOption) (*msgq.Subscription, error)
}

// Pusher runs one subscription for each queue that has a URL.
type Pusher struct {
	queues   Queues
	log      *slog.Logger
	client   *http.Client
	requests *prometheus.CounterVec
	changes  chan chan struct{} // each is closed when the change holds
	running  map[string]*running
	draining sync.WaitGroup
}

type running struct {
	queue msgq.Queue
	sub   *msgq.Subscription
}

// lookEvery is how soon a queue changed through another instance is noticed.
const lookEvery = 3 * time.Second

// New returns a Pusher; Run works.
func New(queues Queues, log *slog.Logger, registry prometheus.Registerer) *Pusher {
	p := &Pusher{
		queues: queues, log: log, changes: make(chan chan struct{}), running: make(map[string]*running),
		client: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true},
			// A redirect is an answer like any other that is not 2xx: following it could lead anywhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "msgq_push_requests_total", Help: "Messages POSTed to webhooks, by result.",
		}, []string{"queue", "result"}),
	}
	registry.MustRegister(p.requests)
	return p
}

// Changed says that a queue was created, changed or deleted, and waits until
// that holds here, but not longer than changeTimeout: requests under way are finished first.
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
		if queues, err := p.queues.Queues(ctx); err == nil { // else the broker is away; what runs goes on when it is back
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

// update starts and stops subscriptions so that they are what the queues say.
func (p *Pusher) update(ctx context.Context, queues []msgq.QueueInfo) {
	wanted := make(map[string]msgq.Queue)
	for _, info := range queues {
		if info.Push != nil {
			wanted[info.Name] = info.Queue
		}
	}
	for name, r := range p.running {
		select {
		case <-r.sub.Closed(): // deleted under it
			delete(p.running, name)
			continue
		default:
		}
		if q, ok := wanted[name]; !ok || !reflect.DeepEqual(q, r.queue) {
			p.draining.Go(func() { drain(r.sub) }) // requests under way are finished
			delete(p.running, name)
		}
	}
	for name, q := range wanted {
		if p.running[name] != nil {
			continue
		}
		// Not ended by ctx: what is under way is finished by stopAll.
		sub, err := p.queues.Subscribe(context.WithoutCancel(ctx), q, p.handler(q), msgq.WithConcurrency(q.Push.Concurrency))
		if err != nil {
			p.log.Warn("push did not start, trying again", "queue", name, "error", err)
			continue
		}
		p.log.Info("pushing", "queue", name, "concurrency", q.Push.Concurrency)
		p.running[name] = &running{queue: q, sub: sub}
	}
}

func (p *Pusher) stopAll() {
	for _, r := range p.running {
		p.draining.Go(func() { drain(r.sub) })
	}
	p.draining.Wait()
	p.client.CloseIdleConnections()
}

// drainTimeout leaves room for the rest within the 25 s that a stop may take.
const drainTimeout = 15 * time.Second

// drain waits for requests under way, but cuts them short in the end: their messages come again.
func drain(sub *msgq.Subscription) {
	timer := time.AfterFunc(drainTimeout, sub.Stop)
	defer timer.Stop()
	sub.Drain()
}
