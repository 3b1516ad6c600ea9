package msgq

import (
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// Group commit. A broker that syncs every message to disk stores about as many
// single messages a second as its disk can sync, however many callers there
// are. So concurrent publishes share atomic batches, and pay for one sync
// together. Each message is sent as soon as it comes, and the batch is
// committed when the one before it is answered and all callers have come that
// were answered: they are expected back, for they else settle into two halves
// that take turns. One batch is on its way at a time, for the broker stores
// them one after another, however small they are.
const (
	maxGroup      = 1000
	maxGroupBytes = 8 << 20
	// gatherTime is how long callers are waited for who do not come back. The broker
	// needs about as long for a batch, so they would have waited as long without.
	gatherTime = 5 * time.Millisecond
)

// group is one atomic batch.
type group struct {
	id      string
	subject string // of its last message, to commit on
	waiting []*call
	bytes   int
	opened  time.Time
	gather  *time.Timer // while it waits for more callers
	limit   *time.Timer // of its callers' patience
}

// join puts the message into the open group. mu is held.
func (p *publisher) join(msg *nats.Msg, now time.Time) *call {
	g := p.open
	if g == nil {
		g = &group{id: nuid.Next(), opened: now}
		g.limit = time.AfterFunc(requestTimeout, func() { p.giveUp(g) })
		p.open = g
		if now.Sub(p.answeredAt) > paceSpan { // no group's callers are expected back
			p.expected = p.pace.callers()
		}
	}
	msg.Header[headerBatchID] = []string{g.id}
	msg.Header[headerBatchSeq] = []string{strconv.Itoa(len(g.waiting) + 1)}
	p.outbox = append(p.outbox, outgoing{msg: msg, group: g})
	c := &call{done: make(chan struct{})}
	p.grouped++
	g.waiting = append(g.waiting, c)
	g.subject = msg.Subject
	g.bytes += msg.Size()
	if len(g.waiting) == maxGroup || g.bytes >= maxGroupBytes {
		p.sealed = append(p.sealed, g)
		p.open = nil
	}
	p.commitNext()
	return c
}

// commitNext commits the next group if its time has come. mu is held.
func (p *publisher) commitNext() {
	switch g := p.open; {
	case p.flying != nil:
	case len(p.sealed) > 0:
		p.commit(p.sealed[0])
	case g == nil:
	case len(g.waiting) >= p.expected:
		p.commit(g)
	case g.gather == nil:
		g.gather = time.AfterFunc(gatherTime, func() { p.gathered(g) })
	}
}

// gathered commits a group for which not all callers came that were expected.
func (p *publisher) gathered(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.gather = nil
	if p.open == g && p.flying == nil && len(p.sealed) == 0 {
		p.commit(g)
	}
}

// commit asks the broker to store the group. mu is held.
func (p *publisher) commit(g *group) {
	p.remove(g)
	p.flying = g
	p.outbox = append(p.outbox, outgoing{group: g, msg: &nats.Msg{
		Subject: g.subject, Reply: p.inbox + "." + g.id,
		Header: nats.Header{
			headerBatchID: {g.id}, headerBatchSeq: {strconv.Itoa(len(g.waiting) + 1)},
			headerBatchCommit: {"eob"}, // commits, and is not stored itself
		},
	}})
	p.flush()
}

// end gives a group's callers their answer and has the next one committed. mu is held.
func (p *publisher) end(g *group, err error) {
	if !p.remove(g) {
		return
	}
	g.limit.Stop()
	if g.gather != nil {
		g.gather.Stop()
	}
	p.expected = p.grouped
	p.grouped -= len(g.waiting)
	p.answeredAt = time.Now()
	for _, c := range g.waiting {
		c.err = err
		close(c.done)
	}
	p.commitNext()
}

// giveUp ends a group that was not answered in time.
func (p *publisher) giveUp(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush()
	p.end(g, nats.ErrTimeout)
}

// remove takes the group from where it is, and is false where it has ended before. mu is held.
func (p *publisher) remove(g *group) bool {
	i := slices.Index(p.sealed, g)
	switch {
	case p.open == g:
		p.open = nil
	case p.flying == g:
		p.flying = nil
	case i >= 0:
		p.sealed = slices.Delete(p.sealed, i, i+1)
	default:
		return false
	}
	return true
}

// find returns the group of this id that has not ended. mu is held.
func (p *publisher) find(id string) *group {
	for _, g := range append([]*group{p.flying, p.open}, p.sealed...) {
		if g != nil && g.id == id {
			return g
		}
	}
	return nil
}
