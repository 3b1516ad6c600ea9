package wsconn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// queueSub is a membership in a queue. What the client asks for is done by a
// worker in order, so that a slow broker does not keep the connection from
// reading pongs.
type queueSub struct {
	c      *conn
	id     string
	member *msgq.Member
	credit atomic.Int64
	work   chan request
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // deliver

	settling context.Context // of the worker: outlives the client for settleTimeout
	giveUp   context.CancelFunc
	settled  sync.WaitGroup // worker

	tags   *tags
	prefix []byte           // of a message
	batch  []*msgq.Delivery // of deliver, to be used again
}

// workBacklog is how many requests may wait for the broker before the connection is read no further.
const workBacklog = 64

func newQueueSub(c *conn, r request) (*queueSub, error) {
	q, err := r.QueueSettings.Queue(*r.Queue)
	if err != nil {
		return nil, err
	}
	if q.Push != nil {
		return nil, badRequest("push: it is set with PUT /v1/queues/NAME")
	}
	credit := defaultCredit
	if r.Credit != nil {
		credit = *r.Credit
	}
	member, err := c.join(q, credit)
	if err != nil {
		return nil, err
	}
	s := &queueSub{
		c: c, id: r.ID, member: member, work: make(chan request, workBacklog),
		tags: newTags(), prefix: messagePrefix(r.ID),
	}
	s.credit.Store(int64(credit))
	s.ctx, s.cancel = context.WithCancel(c.ctx)
	c.send(subscribed{
		Type: "subscribed", ID: r.ID, Ref: r.Ref, Epoch: c.h.opts.Source.Epoch(), Seq: member.Start(), Recovered: member.Recovered(),
	})
	s.settling, s.giveUp = context.WithCancel(context.Background())
	s.wg.Go(s.deliver)
	s.settled.Go(s.settle)
	return s, nil
}

// join makes a member of the queue, which is created where the client may.
func (c *conn) join(q msgq.Queue, credit int) (*msgq.Member, error) {
	grant := c.grant.Load()
	if err := grant.Works(q.Name); err != nil {
		return nil, err
	}
	q, reason := grant.Limit(q)
	member, err := c.h.opts.Source.Join(c.ctx, q, credit)
	if errors.Is(err, msgq.ErrQueueNotFound) && reason != nil {
		return nil, reason
	}
	return member, err
}

// stop is called by the connection's reader, as request is.
func (s *queueSub) stop() {
	s.cancel()
	close(s.work)
	timer := time.AfterFunc(settleTimeout, s.giveUp)
	s.settled.Wait()
	timer.Stop()
	s.giveUp()
	s.member.Leave()
	s.wg.Wait()
}

func (s *queueSub) ended() bool {
	select {
	case <-s.member.Done():
		return true
	default:
		return false
	}
}

// request is called by the connection's reader.
func (s *queueSub) request(r request) error {
	if r.Type == "credit" {
		if r.Credit == nil {
			return badRequest("credit: it is missing")
		}
		if err := s.member.SetCredit(*r.Credit); err != nil {
			return err
		}
		s.credit.Store(int64(*r.Credit))
		s.c.ok(r.Ref)
		return nil
	}
	if len(r.Tags) < 1 || len(r.Tags) > maxTags {
		return badRequest(fmt.Sprintf("tags: %d, 1 to %d are allowed", len(r.Tags), maxTags))
	}
	select {
	case s.work <- r:
	case <-s.ctx.Done():
	}
	return nil
}
