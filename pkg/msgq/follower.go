package msgq

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// follower is the consumer that feeds the ring.
type follower struct {
	consume    jetstream.ConsumeContext // nil while there is none
	life       int                      // which one may add: one that was replaced may still call
	since      time.Time
	reconnects uint64 // of the connection when it began
	broken     bool
	err        error // why there is none
}

// start follows the stream from the ring's head on.
func (t *tail) start() {
	t.mu.Lock()
	old := t.follower
	t.follower = follower{life: old.life + 1, since: time.Now(), reconnects: t.c.nc.Stats().Reconnects}
	if t.follower.reconnects != old.reconnects { // nobody told what was deleted meanwhile
		t.ring.reset(t.ring.head)
		t.chunks.drop()
	}
	life, next, seen := t.follower.life, t.ring.head+1, t.seen
	t.mu.Unlock()
	if old.consume != nil {
		old.consume.Stop()
	}
	consume, err := t.follow(life, next, seen)
	if err != nil {
		if t.c.ctx.Err() == nil {
			t.c.cfg.Logger.Warn("live tail did not start, trying again", "error", err)
		}
		t.mu.Lock()
		t.follower.err = err
		t.mu.Unlock()
		return // the next look at the streams tries again
	}
	t.mu.Lock()
	t.follower.consume = consume
	t.mu.Unlock()
}

// following is nil, or why live subscriptions get nothing new.
func (t *tail) following() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.follower.err
}

var errOtherEnd = fmt.Errorf("%w: the stream has lost its end", ErrUnavailable)

func (t *tail) follow(life int, next uint64, seen mark) (jetstream.ConsumeContext, error) {
	ctx, cancel := t.c.withTimeout(t.c.ctx)
	defer cancel()
	consumer, err := t.c.js.CreateConsumer(ctx, t.c.names.events, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: next,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return nil, brokerError("follow the stream", err)
	}
	// The consumer is in the broker's memory and ends with it. So what the broker lost
	// before shows now, and after what it loses later nothing comes from this consumer.
	if err := t.sameEnd(ctx, seen); err != nil {
		return nil, err
	}
	return consumer.Consume(func(msg jetstream.Msg) { t.add(life, msg) },
		jetstream.ConsumeErrHandler(func(jetstream.ConsumeContext, error) { t.failed(life) }),
		jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(2*time.Second)) // a dead one is found after two missing beats
}

// sameEnd makes sure that the stream goes on where it was seen last.
func (t *tail) sameEnd(ctx context.Context, seen mark) error {
	state, err := t.c.state(ctx)
	if err != nil {
		return err
	}
	lost, err := t.c.streams.lost(ctx, seen, state)
	if err != nil {
		return err
	}
	if lost || state.Epoch != t.c.streams.current().Epoch {
		t.c.streams.look() // it names or takes in the new epoch
		return errOtherEnd
	}
	return nil
}

// failed has the next look start another consumer. It asks for that look, but
// not of one that failed at once.
func (t *tail) failed(life int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if life != t.follower.life {
		return
	}
	t.follower.broken = true
	if time.Since(t.follower.since) > lookInterval {
		t.c.streams.look()
	}
}
