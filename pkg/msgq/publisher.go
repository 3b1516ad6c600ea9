package msgq

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	maxSealed     = 16 // full groups that wait for their turn
	rememberedIDs = 32_768
)

// publisher stores messages for concurrent callers: each on its own, or in
// groups that share the broker's syncs to disk, whichever is faster.
type publisher struct {
	c     *Client
	inbox string
	sub   *nats.Subscription
	ids   *lru.Cache[string, struct{}] // ids lately published: a repeat would have its whole group refused
	life  atomic.Pointer[connectionLife]

	mu         sync.Mutex
	pace       pace
	singles    int       // calls under way that went alone
	grouped    int       // calls under way in groups
	open       *group    // takes messages
	sealed     []*group  // full, not yet committed
	flying     *group    // committed, not yet answered
	answeredAt time.Time // the last group
	expected   int       // callers that the open group waits for
	disabled   bool      // the stream takes no batches
}

func newPublisher(c *Client) *publisher {
	ids, _ := lru.New[string, struct{}](rememberedIDs) // the error is for a size of 0
	p := &publisher{c: c, ids: ids}
	p.life.Store(newConnectionLife())
	return p
}

// listen takes the answers to groups from now on.
func (p *publisher) listen() (err error) {
	p.inbox = p.c.nc.NewInbox()
	p.sub, err = p.c.nc.Subscribe(p.inbox+".*", p.answered)
	return brokerError("publisher", err)
}

// store returns when the message is on disk, or after requestTimeout.
func (p *publisher) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	call, err := p.enter(msg)
	if err != nil {
		return nil, err
	}
	if call == nil {
		defer p.leave()
		return p.storeAlone(ctx, msg)
	}
	select {
	case <-call.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if call.alone {
		leaveBatch(msg)
		return p.storeAlone(ctx, msg)
	}
	return &call.ack, call.err
}

func (p *publisher) storeAlone(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	timed, cancel := p.answerTime(ctx)
	defer cancel()
	ack, err := p.c.js.PublishMsg(timed, msg)
	return ack, answerError(ctx, err)
}

// enter puts the message into the open group. A nil call means that it goes alone.
func (p *publisher) enter(msg *nats.Msg) (*groupCall, error) {
	repeat := p.isRepeat(msg)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	grouped := p.pace.groups(p.singles+p.grouped+1, now)
	if !grouped || repeat || p.disabled || len(p.sealed) >= maxSealed {
		p.singles++
		return nil, nil
	}
	return p.join(msg, now)
}

// leave ends a call that went alone.
func (p *publisher) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.singles--
	if p.grouped == 0 {
		p.pace.singly(p.singles, time.Now())
	}
}

// isRepeat reports whether the message's id was published lately, and remembers it.
func (p *publisher) isRepeat(msg *nats.Msg) bool {
	id := msg.Header.Get(nats.MsgIdHdr)
	if id == "" {
		return false
	}
	repeat, _ := p.ids.ContainsOrAdd(id, struct{}{})
	return repeat
}
