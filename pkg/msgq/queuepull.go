package msgq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
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

// Pull gives 1 to most messages of an existing queue, or none where none came within wait, 0 to [MaxPullWait]; most is 1 to
// [MaxCredit]. Of large messages there are no more than take 4 MiB, less where many pull or are members here; one there
// may always be. Each comes again after the queue's ack wait unless [Client.Settle] is told of it before. Waiting costs
// nothing here: the broker does. Errors: [ErrQueueNotFound], [ErrInvalidQueue], [ErrUnavailable],
// [ErrClosed], or that of ctx; what had come by then goes back to the queue.
func (c *Client) Pull(ctx context.Context, queue string, most int, wait time.Duration) ([]Pulled, error) {
	if most < 1 || most > MaxCredit {
		return nil, fmt.Errorf("%w: max %d, 1 to %d are allowed", ErrInvalidQueue, most, MaxCredit)
	}
	if wait < 0 || wait > MaxPullWait {
		return nil, fmt.Errorf("%w: wait %s, 0 to %s are allowed", ErrInvalidQueue, wait, MaxPullWait)
	}
	until := time.Now().Add(wait)
	p, err := c.newPull(ctx, queue)
	if err != nil {
		return nil, err
	}
	defer p.close()
	c.roster.add(queue, 1)
	defer c.roster.add(queue, -1)
	for {
		if err := p.request(ctx, most-len(p.got), 0); err != nil || len(p.got) > 0 {
			return p.result(err)
		}
		left := time.Until(until)
		if left <= 0 {
			return nil, nil
		}
		// One, and then what else is there: of more, those that come later would wait here.
		if err := p.request(ctx, 1, left); err != nil {
			return p.result(err)
		}
		info, err := c.queueConsumer(ctx, queue)
		if err != nil {
			return p.result(err)
		}
		p.life = lifeOf(info) // it may have been sought meanwhile
		if len(p.got) == most {
			return p.result(nil)
		}
	}
}

// pull is one [Client.Pull].
type pull struct {
	c      *Client
	filter *filter.Filter
	holder *Member
	life   string
	sub    *nats.Subscription
	open   bool // a request is under way
	got    []*Delivery
}

func (c *Client) newPull(ctx context.Context, queue string) (*pull, error) {
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	info, err := c.queueConsumer(ctx, queue)
	if err != nil {
		return nil, err
	}
	q, _ := c.fromConsumer(info)
	f, err := q.compile()
	if err != nil {
		return nil, err
	}
	sub, err := c.nc.SubscribeSync(c.nc.NewInbox())
	if err != nil {
		return nil, brokerError("pull", err)
	}
	return &pull{c: c, filter: f, holder: c.nobody(q, info), life: lifeOf(info), sub: sub}, nil
}

// nobody has deliveries that no member has: they are settled as if by one.
func (c *Client) nobody(q Queue, info *jetstream.ConsumerInfo) *Member {
	m := &Member{
		c: c, born: time.Now(), held: make(map[uint64]*Delivery), firsts: make(map[uint64]time.Duration),
	}
	m.queue.Store(&q)
	m.acks.Store(c.counts.acknowledged(q.Name, info.Created))
	return m
}

// request asks for so many messages, and takes what comes until the broker has no more or the wait is over.
func (p *pull) request(ctx context.Context, n int, wait time.Duration) error {
	limit := share(p.c.roster.total.Load())
	ask := fmt.Sprintf(`{"batch":%d`, n) + maxBytes(n, limit)
	body := ask + `,"no_wait":true}`
	silence := pullSilence
	switch {
	case wait > 2*pullHeartbeat:
		body = fmt.Sprintf(`%s,"expires":%d,"idle_heartbeat":%d}`, ask, wait, pullHeartbeat)
	case wait > 0:
		body = fmt.Sprintf(`%s,"expires":%d}`, ask, wait)
		silence += wait
	}
	subject := nextSubject(p.c.names.events, p.holder.Queue().Name)
	if err := p.c.nc.PublishRequest(subject, p.sub.Subject, []byte(body)); err != nil {
		return brokerError("pull", err)
	}
	p.open = true
	for left := n; left > 0; {
		msg, err := p.next(ctx, silence)
		if err != nil {
			return err
		}
		if reply, ok := parseAckReply(msg.Reply); ok {
			p.take(msg, reply)
			if left, limit = left-1, limit-int64(msg.Size()); limit == 0 {
				break // the broker does not tell of this end
			}
			continue
		}
		switch status, why := msg.Header.Get("Status"), msg.Header.Get("Description"); {
		case status == "100", why == batchCompleted: // heartbeat, or the end of the request before
			continue
		case why == sizeExceeds && pendingOf(msg) < n: // a replicated queue says so before what it has for the request
			left -= pendingOf(msg)
			continue
		case why == sizeExceeds:
			return p.request(ctx, 1, wait)
		case status != "404" && status != "408":
			err = fmt.Errorf("pull: %w: %s %s", ErrUnavailable, status, why)
		}
		p.open = false
		return err
	}
	p.open = false
	return nil
}

func (p *pull) next(ctx context.Context, silence time.Duration) (*nats.Msg, error) {
	timed, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	defer context.AfterFunc(p.c.ctx, cancel)()
	msg, err := p.sub.NextMsgWithContext(timed)
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
		p.holder.bury(d)
		return
	}
	d.open()
	if !matches(p.filter, d) {
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
	defer func() { p.holder.giveBackUnseen(p.got...) }()
	if !p.open || p.sub.Drain() != nil {
		_ = p.sub.Unsubscribe()
		return
	}
	until := time.Now().Add(closeWait)
	for {
		msg, err := p.sub.NextMsg(time.Until(until))
		if err != nil {
			_ = p.sub.Unsubscribe()
			return
		}
		if reply, ok := parseAckReply(msg.Reply); ok {
			p.got = append(p.got, p.holder.newDelivery(msg, reply, p.holder.clock()))
		}
	}
}
