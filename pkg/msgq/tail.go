package msgq

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// tail follows the end of the stream with one ordered consumer, however many
// live subscriptions there are, and keeps the newest messages in a ring.
type tail struct {
	c *Client

	mu      sync.Mutex
	ring    ring
	epoch   string        // of what the ring holds; empty before the first look
	changed chan struct{} // closed and replaced with every message and epoch
	consume jetstream.ConsumeContext
	life    int // which consumer may add: one that was replaced may still call
}

func newTail(c *Client) *tail {
	return &tail{c: c, ring: ring{max: c.cfg.TailBytes}, changed: make(chan struct{})}
}

// headSeq is the newest sequence seen; 0 before any.
func (t *tail) headSeq() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ring.head
}

// epochSeen starts over where the stream is not the one that the ring is of.
func (t *tail) epochSeen(state streamState) {
	t.mu.Lock()
	fresh := t.epoch != state.Epoch
	if fresh {
		t.epoch = state.Epoch
		t.ring.reset(state.Last)
		t.signal()
	}
	running := t.consume != nil
	t.mu.Unlock()
	if fresh || !running {
		t.start()
	}
}

// start follows the stream from the ring's head on. Called from one goroutine only.
func (t *tail) start() {
	t.mu.Lock()
	if t.consume != nil {
		t.consume.Stop()
		t.consume = nil
	}
	t.life++
	life, next := t.life, t.ring.head+1
	t.mu.Unlock()
	consume, err := t.follow(life, next)
	if err != nil {
		if t.c.ctx.Err() == nil {
			t.c.cfg.Logger.Warn("live tail did not start, trying again", "error", err)
		}
		return // the next look at the streams tries again
	}
	t.mu.Lock()
	t.consume = consume
	t.mu.Unlock()
}

func (t *tail) follow(life int, next uint64) (jetstream.ConsumeContext, error) {
	ctx, cancel := t.c.withTimeout(t.c.ctx)
	defer cancel()
	consumer, err := t.c.js.OrderedConsumer(ctx, t.c.names.events, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{t.c.names.topic(">")},
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    next,
	})
	if err != nil {
		return nil, brokerError("follow the stream", err)
	}
	return consumer.Consume(func(msg jetstream.Msg) { t.add(life, msg) },
		jetstream.ConsumeErrHandler(func(jetstream.ConsumeContext, error) { t.c.streams.look() }))
}

func (t *tail) add(life int, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		return // no message of a stream
	}
	e := newEntry(t.c.names.decode(msg.Subject(), msg.Headers(), msg.Data(), meta.Sequence.Stream, meta.Timestamp))
	t.mu.Lock()
	defer t.mu.Unlock()
	if life != t.life || e.Seq <= t.ring.head {
		return
	}
	t.ring.add(e)
	t.signal()
}

// signal wakes all who wait for a change. mu is held.
func (t *tail) signal() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// tailView is what one look at the tail gives a reader.
type tailView struct {
	epoch   string
	head    uint64
	held    bool // the ring holds all behind the position
	entries []*entry
	changed <-chan struct{}
}

func (t *tail) view(seq uint64, limit int) tailView {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := tailView{epoch: t.epoch, head: t.ring.head, held: t.ring.holds(seq), changed: t.changed}
	if v.held {
		v.entries = t.ring.after(seq, limit)
	}
	return v
}

// ready waits until the tail knows its epoch.
func (t *tail) ready(ctx context.Context) error {
	for {
		v := t.view(0, 0)
		if v.epoch != "" {
			return nil
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
			return brokerError("live subscription", ctx.Err())
		case <-t.c.ctx.Done():
			return ErrClosed
		}
	}
}

func (t *tail) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life++
	if t.consume != nil {
		t.consume.Stop()
	}
}
