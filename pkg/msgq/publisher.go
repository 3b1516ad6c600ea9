package msgq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
)

const (
	maxBatches    = 16 // open at once: the broker takes 50 for a stream, of all clients
	maxSealed     = 16 // full groups that wait for their turn
	rememberedIDs = 32_768
)

// publisher stores messages for concurrent callers: each on its own, or in
// groups that share the broker's syncs to disk, whichever is faster.
type publisher struct {
	c      *Client
	stream string
	inbox  string
	sub    *nats.Subscription
	ids    *lru.Cache[string, struct{}] // ids lately published: a repeat would have its whole group refused
	life   atomic.Pointer[connectionLife]

	ackPrefix []byte // of the usual answer to one message

	batches *semaphore.Weighted // atomic ones, but for those that calls share

	mu         sync.Mutex
	pace       pace
	singles    map[string]*call // under way alone, by id
	sent       uint64           // alone, ever
	grouped    int              // calls under way in groups
	outbox     []outgoing
	open       *group    // takes messages
	sealed     []*group  // full, not yet committed
	flying     *group    // committed, not yet answered
	answeredAt time.Time // the last group
	expected   int       // callers that the open group waits for
	disabled   bool      // the stream takes no batches
}

func newPublisher(c *Client, stream string) *publisher {
	ids, _ := lru.New[string, struct{}](rememberedIDs) // the error is for a size of 0
	p := &publisher{c: c, stream: stream, ids: ids, batches: semaphore.NewWeighted(maxBatches), singles: make(map[string]*call)}
	p.ackPrefix = fmt.Appendf(nil, `{"stream":%q,`, stream)
	p.life.Store(newConnectionLife())
	return p
}

// listen takes the broker's answers from now on.
func (p *publisher) listen() (err error) {
	p.inbox = p.c.nc.NewInbox()
	p.sub, err = p.c.nc.Subscribe(p.inbox+".*", p.answered)
	return brokerError("publisher", err)
}

// store returns when the message is on disk, or after requestTimeout.
func (p *publisher) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.wait(ctx, p.enter(msg), msg)
}

// sendAll sends each message alone, in their order.
func (p *publisher) sendAll(msgs []prepared) []*call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := make([]*call, len(msgs))
	for i, m := range msgs {
		calls[i] = p.send(m.msg)
	}
	p.flush()
	return calls
}

// wait is store for a message that was sent.
func (p *publisher) wait(ctx context.Context, c *call, msg *nats.Msg) (*jetstream.PubAck, error) {
	var late <-chan time.Time // a group has a limit of its own
	if c.id != "" {
		timer := time.NewTimer(requestTimeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, p.abandon(c, ctx.Err())
	case <-late:
		return nil, p.abandon(c, nats.ErrTimeout)
	}
	if !c.again {
		return &c.ack, c.err
	}
	// nats.go is slower, and tries for a while where nobody listens.
	leaveBatch(msg)
	timed, cancel := p.answerTime(ctx)
	defer cancel()
	ack, err := p.c.publishPatiently(timed, msg)
	return ack, answerError(ctx, err)
}

// isInProcess reports that a replicated stream is storing a message with the same id, or on the same subject
// that takes one only, just now: nobody knows yet whether it will be stored.
func isInProcess(err error) bool {
	code := apiCode(err)
	return code == codeInProcess || code == codeWrongLastSeqConst
}

// publishPatiently waits until a message that is in process was stored or was not.
func (c *Client) publishPatiently(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		ack, err := c.js.PublishMsg(ctx, msg, opts...)
		if !isInProcess(err) {
			return ack, err
		}
		if sleep(ctx, wait) != nil {
			return nil, err
		}
	}
}

// enter has the message sent, alone or in a group.
func (p *publisher) enter(msg *nats.Msg) *call {
	repeat := p.isRepeat(msg)
	p.mu.Lock()
	now := time.Now()
	grouped := p.pace.groups(len(p.singles)+p.grouped+1, now)
	var c *call
	if grouped && !repeat && !p.disabled && len(p.sealed) < maxSealed {
		c = p.join(msg, now)
	} else {
		c = p.send(msg)
	}
	first := len(p.outbox) == 1
	p.mu.Unlock()
	if first {
		p.sendSoon()
	}
	return c
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
