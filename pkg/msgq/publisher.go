package msgq

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Group commit. A broker that syncs every message to disk stores about as many
// single messages a second as its disk can sync, however many callers there
// are. So concurrent publishes share atomic batches, and pay for one sync
// together. One batch is on its way at a time (two were slower); meanwhile the
// next one fills, and is committed when the answer is there and nearly all
// callers have come: those that were answered are expected back, for they else
// settle into two halves that take turns. It waits while they keep coming, some
// milliseconds at most, and where they do not come back, as with requests from many places, it does not
// wait for some groups.
const (
	singleCalls   = 8 // so few callers go alone: there is nothing to gather
	maxGroup      = 1000
	maxGroupBytes = 8 << 20
	maxSealed     = 16 // full groups that wait for their turn
	gatherTime    = time.Millisecond
	gatherTimes   = 5 // as long as more callers come
	gatherPart    = 0.95
	impatience    = 16 // groups committed without waiting after one that waited in vain
	rememberedIDs = 32_768
)

// publisher stores messages for concurrent callers.
type publisher struct {
	c     *Client
	inbox string
	sub   *nats.Subscription
	ids   *lru.Cache[string, struct{}] // ids lately published: a repeat would have its whole group refused
	life  atomic.Pointer[connectionLife]

	mu       sync.Mutex
	calls    int      // under way
	open     *group   // takes messages
	sealed   []*group // full, not yet committed
	flying   *group   // committed, not yet answered
	singles  int      // of the calls: those that went alone
	expected int      // callers
	hurry    int      // so many groups do not wait for callers to come back
	pace     pace
	disabled bool // the stream takes no batches
}

// group is one atomic batch.
type group struct {
	id      string
	subject string // of its last message, to commit on
	waiting []*groupCall
	bytes   int
	gather  *time.Timer // while it waits for more callers
	waits   int         // how often it did
	before  int         // callers when it began to wait
	flight  *time.Timer // while it waits for its answer
}

// groupCall waits for its group's answer.
type groupCall struct {
	done  chan struct{}
	ack   jetstream.PubAck
	alone bool // the group was refused for one of its messages: try again outside of it
	err   error
}

func newPublisher(c *Client) *publisher {
	ids, _ := lru.New[string, struct{}](rememberedIDs) // the error is for a size of 0
	p := &publisher{c: c, ids: ids, pace: newPace()}
	p.life.Store(newConnectionLife())
	return p
}

// listen takes the answers to groups from now on.
func (p *publisher) listen() (err error) {
	p.inbox = p.c.nc.NewInbox()
	p.sub, err = p.c.nc.Subscribe(p.inbox+".*", p.answered)
	return brokerError("publisher", err)
}

// store returns when the message is on disk.
func (p *publisher) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	call, err := p.enter(msg)
	defer p.leave(call)
	if err != nil {
		return nil, err
	}
	if call == nil {
		return p.c.js.PublishMsg(ctx, msg)
	}
	select {
	case <-call.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if call.alone {
		leaveBatch(msg)
		return p.c.js.PublishMsg(ctx, msg)
	}
	return &call.ack, call.err
}

// enter puts the message into the open group. A nil call means that it goes alone.
func (p *publisher) enter(msg *nats.Msg) (*groupCall, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.calls <= singleCalls || p.disabled || !p.pace.grouped || len(p.sealed) >= maxSealed || p.isRepeat(msg) {
		p.singles++
		return nil, nil
	}
	g := p.open
	if g == nil {
		g = &group{id: nuid.Next()}
	}
	msg.Header[headerBatchID] = []string{g.id}
	msg.Header[headerBatchSeq] = []string{strconv.Itoa(len(g.waiting) + 1)}
	if err := p.c.nc.PublishMsg(msg); err != nil {
		p.singles++
		return nil, err
	}
	call := &groupCall{done: make(chan struct{})}
	g.waiting = append(g.waiting, call)
	g.subject = msg.Subject
	g.bytes += msg.Size()
	p.open = g
	if len(g.waiting) == maxGroup || g.bytes >= maxGroupBytes {
		p.sealed = append(p.sealed, g)
		p.open = nil
	}
	p.commitNext()
	return call, nil
}

func (p *publisher) leave(call *groupCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if call == nil {
		p.singles--
	}
	if p.calls > singleCalls && p.pace.finished(time.Now()) {
		p.c.cfg.Logger.Debug("publishing", "grouped", p.pace.grouped)
	}
	p.calls--
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

// commitNext commits the next group if its time has come. mu is held.
func (p *publisher) commitNext() {
	switch {
	case p.flying != nil:
	case len(p.sealed) > 0:
		g := p.sealed[0]
		p.sealed = p.sealed[1:]
		p.commit(g)
	case p.open == nil:
	case float64(len(p.open.waiting)) >= gatherPart*float64(p.expected):
		p.commit(p.open)
	case p.open.gather == nil:
		p.await(p.open)
	}
}

// await gives the group's callers some time to come. mu is held.
func (p *publisher) await(g *group) {
	g.waits++
	g.before = len(g.waiting)
	g.gather = time.AfterFunc(gatherTime, func() { p.gathered(g) })
}

// gathered commits a group for which nearly as many callers as expected did not come.
func (p *publisher) gathered(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.gather = nil // where another is on its way: wait anew when its answer is there
	switch {
	case p.flying != nil || p.open != g:
	case len(g.waiting) > g.before && g.waits < gatherTimes:
		p.await(g)
	default:
		p.hurry = impatience
		p.commit(g)
	}
}

// commit asks the broker to store the group. mu is held.
func (p *publisher) commit(g *group) {
	if p.open == g {
		p.open = nil
	}
	p.flying = g
	err := p.c.nc.PublishMsg(&nats.Msg{
		Subject: g.subject, Reply: p.inbox + "." + g.id,
		Header: nats.Header{
			headerBatchID: {g.id}, headerBatchSeq: {strconv.Itoa(len(g.waiting) + 1)},
			headerBatchCommit: {"eob"}, // commits, and is not stored itself
		},
	})
	if err != nil {
		p.land(g, err)
		return
	}
	g.flight = time.AfterFunc(requestTimeout, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.land(g, nats.ErrTimeout)
	})
}
