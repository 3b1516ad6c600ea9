package msgq

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	settingsEvery = 10 * time.Second // for changes that the roster did not tell of
	// turn is how long at most copies wait while the queue's other messages keep a member busy.
	turn = 100 * time.Millisecond
)

// puller asks the broker for as many messages of a queue as its member may hold: what waits here beyond that could not go to others.
//
// Copies have a consumer of their own, and are asked for beside the messages: one at a time, by an idle member so that the broker
// brings it when it has one, else once a turn whether there is one. As long as there are more, half as many as messages. A
// request cannot be taken back without the loss of what is on its way, which comes again after the ack wait or costs an attempt.
// So it can be that more come than the member has places for; they are parked until it has.
type puller struct {
	c      *Client
	queue  string
	member *Member
	at     queueLife // the consumer whose messages the member has; of run alone

	messages, copies requests

	wake, quit, unstick chan struct{}
	altered             chan struct{} // the queue has other settings
	once                sync.Once
	turnEnds            *time.Timer // of run alone, as the next two
	turning             bool
	handed              uint64 // what the member had been given when the turn began

	retry         atomic.Bool // the last request was refused or lost: look before asking again
	copiesMissing atomic.Bool // as it seems, their consumer
}

func newPuller(c *Client, member *Member, at queueLife) (*puller, error) {
	queue := member.Queue().Name
	p := &puller{
		c: c, queue: queue, member: member, at: at,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), unstick: make(chan struct{}, 1),
		altered: make(chan struct{}, 1), turnEnds: time.NewTimer(turn),
	}
	p.turnEnds.Stop()
	p.messages = requests{p: p, subject: nextSubject(c.names.events, queue)}
	p.copies = requests{p: p, subject: nextSubject(c.names.later, queue), copies: true}
	return p, brokerError("join the queue", errors.Join(p.messages.listen(), p.copies.listen()))
}

// withdraw takes back what was asked for.
func (p *puller) withdraw() {
	p.messages.withdraw()
	p.copies.withdraw()
}

func (p *puller) stop() { p.once.Do(func() { close(p.quit) }) }

// refill has the puller look whether more can be asked for.
func (p *puller) refill() { nudge(p.wake) }

// nudge wakes whoever reads c, which holds one value.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run asks for messages until stop, the client's end, or the end of the queue.
func (p *puller) run() error {
	ticker := time.NewTicker(pullHeartbeat)
	defer ticker.Stop()
	settings := time.NewTicker(settingsEvery)
	defer settings.Stop()
	defer p.turnEnds.Stop()
	reconnected := p.c.nc.StatusChanged(nats.CONNECTED)
	defer p.c.nc.RemoveStatusListener(reconnected)
	var handed uint64
	for {
		if err := p.ask(); err != nil {
			return err
		}
		select {
		case <-p.quit:
			return ErrClosed
		case <-p.c.ctx.Done():
			return ErrClosed
		case <-reconnected: // requests died with the old connection
			p.messages.lost()
			p.copies.lost()
		case <-settings.C:
			nudge(p.altered)
		case <-p.altered:
			if err := p.look(); err != nil {
				return err
			}
		case <-p.unstick:
			p.withdraw() // else they would come back here at once
			p.member.giveBackStuck()
		case <-p.wake:
		case <-p.turnEnds.C:
			p.endTurn()
		case <-ticker.C:
			p.tick(&handed)
		}
	}
}

// tick mends what nothing tells of.
func (p *puller) tick(handed *uint64) {
	if p.member.isOverAsked(handed) {
		p.member.paced.stalled()
		p.withdraw()
	}
	if p.copiesMissing.Swap(false) {
		p.c.restoreCopies(p.queue)
	}
}

// close ends the requests under way, and waits for what they had brought already:
// a message dropped on its way would come again only after the ack wait.
func (p *puller) close() {
	p.messages.close()
	p.copies.close()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	p.messages.finish(ctx)
	p.copies.finish(ctx)
}

// ask requests what is free. An error ends the puller.
func (p *puller) ask() error {
	for _, r := range []*requests{&p.messages, &p.copies} {
		if r.isSilent() {
			r.withdraw()
			r.lost()
		}
	}
	if p.retry.Load() {
		if err := p.look(); err != nil {
			return err
		}
		if p.c.nc.Status() != nats.CONNECTED {
			return nil
		}
		p.retry.Store(false)
	}
	messages, copies := p.member.ask()
	if messages > 0 {
		p.messages.send(messages, standing)
	}
	if copies > 0 {
		p.copies.send(copies, noWait)
	}
	p.beginTurn()
	return nil
}

// beginTurn has copies looked for after a turn.
func (p *puller) beginTurn() {
	if p.turning {
		return
	}
	if handed, ok := p.member.mayLook(p.handed); ok {
		p.turning, p.handed = true, handed
		p.turnEnds.Reset(turn)
	}
}

func (p *puller) endTurn() {
	p.turning = false
	if p.c.nc.Status() != nats.CONNECTED {
		return
	}
	if p.member.mayWithdraw(p.handed) {
		p.messages.withdraw()
	}
	if request, ok := p.member.look(p.handed); ok {
		p.copies.send(1, request)
	}
}

// look sees to the queue: it takes over changed settings and makes it again where
// its stream was lost. An error means that the queue is gone for good.
func (p *puller) look() error {
	asked := p.member.clock() // before the broker tells, so that nothing younger is dropped
	q, at, err := p.c.reopenQueue(p.c.ctx, p.member.Queue(), p.at, p.member.last())
	if errors.Is(err, ErrQueueNotFound) {
		return err
	}
	if err != nil { // the broker is away
		return nil //nolint:nilerr // what waits goes on when it is back
	}
	switch {
	case !at.created.Equal(p.at.created):
		p.member.drop(math.MaxInt64)
		p.member.acks.Store(p.c.counts.acknowledged(p.queue, at.created))
	case !at.began.Equal(p.at.began): // sought; members that asked before have messages of after it already
		p.member.drop(asked - at.goes())
	}
	p.at = at
	p.member.changed(q)
	return nil
}
