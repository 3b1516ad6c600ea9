package library_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const (
	publishers   = 32
	atomicSize   = 5
	atomicPrefix = "atomic"
)

// connector is a broker or a cluster of them.
type connector interface {
	Connect(change func(*msgq.Config)) *msgq.Client
}

// publication is what became of one id.
type publication struct {
	attempted bool
	receipt   msgq.Receipt // zero where no call was answered
}

// load publishes until it is stopped.
type load struct {
	t      *testing.T
	client *msgq.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup

	acknowledged, failed atomic.Int64
	changed              chan struct{} // holds a value when one more was acknowledged

	mu        sync.Mutex
	published map[string]publication
}

func startPublishers(t *testing.T, s connector) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &load{t: t, client: s.Connect(nil), cancel: cancel, changed: make(chan struct{}, 1), published: make(map[string]publication)}
	for i := range publishers {
		p.wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				p.publish(ctx, fmt.Sprintf("%d-%d", i, n), i%2 == 0)
			}
		})
	}
	p.wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			p.publishAtomic(ctx, n)
		}
	})
	t.Cleanup(func() { p.stop() })
	return p
}

// publish publishes one id: again until it is answered, or once only.
func (p *load) publish(ctx context.Context, id string, again bool) {
	p.attempted(id)
	for ctx.Err() == nil {
		call, cancel := callContext(ctx)
		r, err := p.client.Publish(call, message(id))
		cancel()
		if err == nil {
			p.answered(r)
			return
		}
		p.failed.Add(1)
		p.backOff(ctx)
		if !again {
			return
		}
	}
}

// publishAtomic publishes some ids together, once only.
func (p *load) publishAtomic(ctx context.Context, n int) {
	items := make([]msgq.BatchItem, atomicSize)
	for i := range items {
		id := fmt.Sprintf("%s%d-%d", atomicPrefix, n, i)
		p.attempted(id)
		items[i].Message = message(id)
	}
	call, cancel := callContext(ctx)
	receipts, err := p.client.PublishAtomic(call, items)
	cancel()
	if err != nil {
		p.failed.Add(1)
		p.backOff(ctx)
		return
	}
	p.answered(receipts...)
}

func message(id string) msgq.Message {
	return msgq.Message{ID: id, Topic: "load", Data: []byte("data of " + id)}
}

// callContext ends a call that the broker died under: much sooner than the
// default does, to keep the test short. Stopping the load does not end it: its answer counts.
func callContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Second/2)
}

func (p *load) attempted(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published[id] = publication{attempted: true}
}

func (p *load) answered(receipts ...msgq.Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range receipts {
		p.published[r.ID] = publication{true, r}
	}
	p.acknowledged.Add(int64(len(receipts)))
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// backOff keeps a publisher from spinning while there is no broker.
func (p *load) backOff(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

func (p *load) waitFor(acknowledged int64) {
	p.t.Helper()
	for p.acknowledged.Load() < acknowledged {
		msgqtest.Receive(p.t, p.changed, "acknowledgement of a publish")
	}
}

func (p *load) stop() map[string]publication {
	p.cancel()
	p.wg.Wait()
	return p.published
}
