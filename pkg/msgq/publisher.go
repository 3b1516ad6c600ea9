package msgq

import (
	"context"
	"fmt"
	"strconv"
	"sync"
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
// next one fills, and is committed when the answer is there and nearly as many
// callers as lately have come, or after gatherTime.
const (
	singleCalls   = 8 // so few callers go alone: there is nothing to gather
	maxGroup      = 1000
	maxGroupBytes = 8 << 20
	maxSealed     = 16 // full groups that wait for their turn
	gatherTime    = 2 * time.Millisecond
	gatherPart    = 0.95
	rememberedIDs = 32_768
)

// publisher stores messages for concurrent callers.
type publisher struct {
	c     *Client
	inbox string
	sub   *nats.Subscription
	ids   *lru.Cache[string, struct{}] // ids lately published: a repeat would have its whole group refused

	mu       sync.Mutex
	calls    int      // under way
	open     *group   // takes messages
	sealed   []*group // full, not yet committed
	flying   *group   // committed, not yet answered
	recent   int      // size of the last group
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
	flight  *time.Timer // while it waits for its answer
}

// groupCall waits for its group's answer.
type groupCall struct {
	done  chan struct{}
	ack   jetstream.PubAck
	alone bool // the group was refused for one of its messages: try again outside of it
	err   error
}

func newPublisher(c *Client) (*publisher, error) {
	ids, err := lru.New[string, struct{}](rememberedIDs)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	p := &publisher{c: c, inbox: c.nc.NewInbox(), ids: ids, pace: newPace()}
	if p.sub, err = c.nc.Subscribe(p.inbox+".*", p.answered); err != nil {
		return nil, brokerError("publisher", err)
	}
	return p, nil
}

// store returns when the message is on disk.
func (p *publisher) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	call, err := p.enter(msg)
	defer p.leave()
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
		delete(msg.Header, headerBatchID)
		delete(msg.Header, headerBatchSeq)
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
		return nil, nil
	}
	g := p.open
	if g == nil {
		g = &group{id: nuid.Next()}
	}
	msg.Header[headerBatchID] = []string{g.id}
	msg.Header[headerBatchSeq] = []string{strconv.Itoa(len(g.waiting) + 1)}
	if err := p.c.nc.PublishMsg(msg); err != nil {
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

func (p *publisher) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	case float64(len(p.open.waiting)) >= gatherPart*float64(p.recent):
		p.commit(p.open)
	case p.open.gather == nil:
		g := p.open
		g.gather = time.AfterFunc(gatherTime, func() { p.gathered(g) })
	}
}

// gathered commits a group for which nearly as many callers as lately did not come.
func (p *publisher) gathered(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.gather = nil // where another is on its way: wait anew when its answer is there
	if p.flying == nil && p.open == g {
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
