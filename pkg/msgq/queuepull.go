package msgq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// MaxPullWait is the longest that one [Client.Pull] waits.
const MaxPullWait = 5 * time.Minute

// Pulled is one attempt at a queue's message, given to a worker that is no member.
type Pulled struct {
	*Message
	// Attempt counts deliveries of this message to the queue, from 1; after a redrive from 1 again.
	Attempt int
	// Tag settles it in [Client.Settle], from any process.
	Tag string
}

// pullTurn is how long a pull waits for messages before it looks for copies again.
const pullTurn = time.Second

// Pull gives 1 to most messages of an existing queue, or none where none came within wait, 0 to [MaxPullWait]; most is 1 to
// [MaxCredit]. Of large messages there are no more than take 4 MiB, less where many pull or are members here; one there
// may always be. Each comes again after the queue's ack wait unless [Client.Settle] is told of it before. What was redriven, and
// retries that waited long, come up to a second late to one that waits. Errors: [ErrQueueNotFound], [ErrInvalidQueue],
// [ErrUnavailable], [ErrClosed], or that of ctx; what had come by then goes back to the queue.
func (c *Client) Pull(ctx context.Context, queue string, most int, wait time.Duration) ([]Pulled, error) {
	if most < 1 || most > MaxCredit {
		return nil, fmt.Errorf("%w: max %d, 1 to %d are allowed", ErrInvalidQueue, most, MaxCredit)
	}
	if wait < 0 || wait > MaxPullWait {
		return nil, fmt.Errorf("%w: wait %s, 0 to %s are allowed", ErrInvalidQueue, wait, MaxPullWait)
	}
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	until := time.Now().Add(wait)
	holder, life, err := c.nobody(ctx, queue)
	if err != nil {
		return nil, err
	}
	p := &pull{c: c, holder: holder, life: life}
	defer p.close()
	c.roster.add(queue, 1)
	defer c.roster.add(queue, -1)
	err = p.get(ctx, most, until)
	if errors.Is(err, ErrUnavailable) && c.nc.Status() == nats.CONNECTED {
		if gone := p.refresh(ctx); errors.Is(gone, ErrQueueNotFound) {
			err = gone
		}
	}
	return p.result(err)
}

// pull is one [Client.Pull].
type pull struct {
	c      *Client
	holder *Member
	life   string
	open   []*nats.Subscription // of requests that may be under way
	got    []*Delivery
}

// nobody has deliveries that no member has: they are settled as if by one. Tags of them belong to that life of the queue.
func (c *Client) nobody(ctx context.Context, queue string) (m *Member, life string, err error) {
	info, err := c.queueConsumer(ctx, queue)
	if err != nil {
		return nil, "", err
	}
	q, _ := c.fromConsumer(info)
	f, err := q.compile()
	if err != nil {
		return nil, "", err
	}
	m = &Member{
		c: c, filter: f, born: time.Now(), held: make(map[address]*Delivery), firsts: make(map[address]time.Duration),
	}
	m.queue.Store(&q)
	m.acks.Store(c.counts.acknowledged(q.Name, info.Created))
	return m, lifeOf(info), nil
}

// get takes what there is, or waits for one message and takes what else there is then: of more, those that come later would wait here.
func (p *pull) get(ctx context.Context, most int, until time.Time) error {
	for waited := false; ; waited = true {
		if err := p.takeWaiting(ctx, most); err != nil {
			return err
		}
		if len(p.got) > 0 && waited {
			return p.refresh(ctx)
		}
		left := time.Until(until)
		if len(p.got) > 0 || left <= 0 {
			return nil
		}
		if err := p.request(ctx, p.c.names.events, 1, min(left, pullTurn)); err != nil {
			return err
		}
	}
}

// refresh is for a queue that may have been sought while it was waited for.
func (p *pull) refresh(ctx context.Context) error {
	info, err := p.c.queueConsumer(ctx, p.holder.Queue().Name)
	if err == nil {
		p.life = lifeOf(info)
	}
	return err
}

// takeWaiting takes so many messages and copies of those that are there. Neither come always first.
func (p *pull) takeWaiting(ctx context.Context, most int) error {
	streams := []string{p.c.names.events, p.c.names.later}
	if rand.IntN(2) == 0 { //nolint:gosec // no secret
		slices.Reverse(streams)
	}
	for _, stream := range streams {
		n := most - len(p.got)
		if n <= 0 {
			return nil
		}
		err := p.request(ctx, stream, n, 0)
		if stream == p.c.names.later && errors.Is(err, ErrUnavailable) && p.c.nc.Status() == nats.CONNECTED { // there may be messages
			p.c.restoreCopies(p.holder.Queue().Name)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request asks for so many messages, and takes what comes until the broker has no more or the wait is over.
func (p *pull) request(ctx context.Context, stream string, n int, wait time.Duration) error {
	sub, err := p.c.nc.SubscribeSync(p.c.nc.NewInbox())
	if err != nil {
		return brokerError("pull", err)
	}
	ended, err := p.ask(ctx, sub, stream, n, wait)
	if ended {
		_ = sub.Unsubscribe() // or it ends with the connection
	} else {
		p.open = append(p.open, sub)
	}
	return err
}

// ask reports whether the request is known to have ended.
func (p *pull) ask(ctx context.Context, sub *nats.Subscription, stream string, n int, wait time.Duration) (ended bool, err error) {
	limit := share(p.c.roster.total.Load())
	request := noWait
	if wait > 0 {
		request = pullRequest{Expires: wait}
	}
	if err := p.c.nc.PublishRequest(nextSubject(stream, p.holder.Queue().Name), sub.Subject, request.of(n, limit)); err != nil {
		return true, brokerError("pull", err)
	}
	for left := n; left > 0; {
		msg, err := p.next(ctx, sub, pullSilence+wait)
		if err != nil {
			return false, err
		}
		if reply, ok := parseAckReply(msg.Reply); ok {
			p.take(msg, reply)
			if left, limit = left-1, limit-int64(msg.Size()); limit == 0 {
				break // the broker does not tell of this end
			}
			continue
		}
		switch status, why := msg.Header.Get("Status"), msg.Header.Get("Description"); {
		case why == batchCompleted: // the end of the request before
			continue
		case why == sizeExceeds && pendingOf(msg) < n: // a replicated queue says so before what it has for the request
			left -= pendingOf(msg)
			continue
		case why == sizeExceeds:
			return p.ask(ctx, sub, stream, 1, wait)
		case status != "404" && status != "408":
			return true, fmt.Errorf("pull: %w: %s %s", ErrUnavailable, status, why)
		}
		return true, nil
	}
	return true, nil
}

func (p *pull) next(ctx context.Context, sub *nats.Subscription, silence time.Duration) (*nats.Msg, error) {
	timed, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	defer context.AfterFunc(p.c.ctx, cancel)()
	msg, err := sub.NextMsgWithContext(timed)
	switch {
	case err == nil:
		return msg, nil
	case p.c.ctx.Err() != nil:
		return nil, ErrClosed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("pull: %w: no sign of life for %s", ErrUnavailable, silence)
	}
	return nil, brokerError("pull", err)
}

func (p *pull) take(msg *nats.Msg, reply ackReply) {
	d := p.holder.newDelivery(msg, reply, p.holder.clock())
	if d.Attempt > p.holder.Queue().MaxAttempts { // see Member.hold
		_ = p.holder.bury(p.c.ctx, d) // else it comes again
		return
	}
	d.open()
	if !p.holder.wants(d) {
		p.c.settled(d.Ack())
		return
	}
	p.got = append(p.got, d)
}

func (p *pull) result(err error) ([]Pulled, error) {
	if err != nil {
		return nil, err
	}
	pulled := make([]Pulled, len(p.got))
	now := time.Now()
	for i, d := range p.got {
		pulled[i] = Pulled{d.Message, d.Attempt, tag{p.life, now, d.msg.Reply}.String()}
	}
	p.got = nil
	return pulled, nil
}

// close gives back what nobody gets: also what was on its way for a request that is still open.
func (p *pull) close() {
	until := time.Now().Add(closeWait)
	for _, sub := range p.open {
		if sub.Drain() != nil {
			_ = sub.Unsubscribe()
			continue
		}
		for {
			msg, err := sub.NextMsg(time.Until(until))
			if err != nil {
				_ = sub.Unsubscribe()
				break
			}
			if reply, ok := parseAckReply(msg.Reply); ok {
				p.got = append(p.got, p.holder.newDelivery(msg, reply, p.holder.clock()))
			}
		}
	}
	p.holder.giveBackUnseen(p.got...)
}
