package push

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// endpoint is where one queue's messages go. Its settings may change while it is
// used: messages that wait for a dead one then go to the new one.
type endpoint struct {
	queue   string
	client  *http.Client
	log     *slog.Logger
	metrics *metrics
	target  atomic.Pointer[target]
	circuit *circuit
	quit    chan struct{}

	mu      sync.Mutex // of what left, change and stop do
	stopped bool
}

// target is what can change.
type target struct {
	push msgq.Push
	sign *webhooks.Webhook // nil: not signed
}

func newTarget(ctx context.Context, queues Queues, q msgq.Queue) (*target, error) {
	t := &target{push: *q.Push}
	if t.push.SecretID == "" {
		return t, nil
	}
	secret, err := queues.PushSecret(ctx, q.Name, t.push.SecretID)
	if err != nil {
		return nil, err // never unsigned instead
	}
	if t.sign, err = webhooks.NewWebhook(secret); err != nil {
		return nil, fmt.Errorf("push.secret: %w", err)
	}
	return t, nil
}

func newEndpoint(p *Pusher, queue string, t *target) *endpoint {
	e := &endpoint{queue: queue, client: p.client, log: p.log.With("queue", queue), metrics: p.metrics, quit: make(chan struct{})}
	e.circuit = newCircuit(e.quit)
	e.target.Store(t)
	return e
}

func (e *endpoint) change(t *target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.target.Store(t)
	e.circuit.reset()
	e.metrics.tell(e.queue, false)
}

// stop gives back what waits for a dead endpoint. Twice is harmless.
func (e *endpoint) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return
	}
	e.stopped = true
	close(e.quit)
	e.metrics.forget(e.queue)
}

// handle POSTs one message.
func (e *endpoint) handle(ctx context.Context, d *msgq.Delivery) error {
	probe, err := e.circuit.enter(ctx)
	if err != nil {
		return msgq.Release(err) // it was not sent
	}
	t := e.target.Load()
	timed, cancel := context.WithTimeout(ctx, t.push.Timeout)
	defer cancel()
	req, err := newRequest(timed, t.push.URL, e.queue, t.sign, d)
	if err != nil {
		e.left(t, probe, true)
		return msgq.Permanent(err)
	}
	res, err := e.client.Do(req)
	if err != nil {
		if probe || ctx.Err() == nil { // else it was cut short by us and says nothing
			e.left(t, probe, false)
		}
		e.metrics.count(e.queue, "failed")
		return reasonOf(err)
	}
	defer func() { _ = res.Body.Close() }()
	e.left(t, probe, lives(res.StatusCode))
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
	err = outcome(res, time.Now())
	e.metrics.count(e.queue, result(err))
	return err
}

// maxAnswer is how much of an answer is read, in bytes. What it says does not matter.
const maxAnswer = 64 << 10

func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "acknowledged"
}

// left tells the circuit, and whoever looks at logs and metrics. What an endpoint did that is used no more says nothing.
func (e *endpoint) left(t *target, probe, alive bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || e.target.Load() != t || !e.circuit.leave(probe, alive) {
		return
	}
	if !alive {
		e.log.Warn("the webhook fails again and again: trying it with one message at a time")
	} else {
		e.log.Info("the webhook is well again")
	}
	e.metrics.tell(e.queue, !alive)
}
