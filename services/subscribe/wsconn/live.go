package wsconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// positionEvery is how often a client is told of progress without messages.
const positionEvery = 10 * time.Second

// liveSub reads the stream at the client's pace: while the outbox is full it
// does not read, and so loses nothing but what the stream forgets.
type liveSub struct {
	c        *conn
	id       string
	overflow string
	reader   *msgq.LiveSubscription
	cancel   context.CancelFunc
	done     chan struct{}

	told     uint64    // the last position the client knows
	nextTell time.Time // when it may be told of another
}

func newLiveSub(c *conn, r request) (*liveSub, error) {
	if r.Overflow == "" {
		r.Overflow = overflowCatchup
	}
	if r.Overflow != overflowCatchup && r.Overflow != overflowSkip && r.Overflow != overflowClose {
		return nil, badRequest(fmt.Sprintf("overflow: %.64q, catchup, skip or close is expected", r.Overflow))
	}
	from, err := wire.ParseFrom(r.From)
	if err != nil {
		return nil, err
	}
	reader, err := c.h.opts.Source.Live(c.ctx, msgq.Live{Topics: r.Topics, Filter: r.Filter, From: from})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(c.ctx)
	s := &liveSub{
		c: c, id: r.ID, overflow: r.Overflow, reader: reader, cancel: cancel, done: make(chan struct{}),
		told: reader.Position().Seq, nextTell: time.Now().Add(positionEvery),
	}
	pos := reader.Position()
	c.send(subscribed{Type: "subscribed", ID: r.ID, Ref: r.Ref, Epoch: pos.Epoch, Seq: pos.Seq, Recovered: reader.Recovered()})
	c.wg.Go(func() {
		defer close(s.done)
		defer reader.Close()
		s.run(ctx)
	})
	return s, nil
}

func (s *liveSub) stop() {
	s.cancel()
	<-s.done
}

// ended is false: a live subscription goes on as long as its connection.
func (s *liveSub) ended() bool { return false }

func (s *liveSub) run(ctx context.Context) {
	for {
		batch, err := s.next(ctx)
		if err != nil {
			return // the connection or the service ends
		}
		if batch.Reset {
			s.c.send(subscribed{Type: "subscribed", ID: s.id, Epoch: batch.Position.Epoch, Seq: batch.Position.Seq})
			s.told = batch.Position.Seq
		}
		for _, m := range batch.Messages {
			if !s.deliver(ctx, m) {
				break
			}
			s.told = m.Seq
		}
	}
}

// next waits for a batch, and tells the client of progress without messages when that is due.
func (s *liveSub) next(ctx context.Context) (msgq.Batch, error) {
	for {
		wait, cancel := context.WithDeadline(ctx, s.nextTell)
		batch, err := s.reader.Next(wait)
		cancel()
		if len(batch.Messages) > 0 || batch.Reset {
			return batch, err
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return batch, err
		}
		if time.Now().Before(s.nextTell) {
			continue
		}
		s.nextTell = time.Now().Add(positionEvery)
		if pos := s.reader.Position().Seq; pos > s.told {
			s.c.send(position{Type: "position", ID: s.id, Seq: pos})
			s.told = pos
		}
	}
}

// deliver hands one message to the client. It is false where the rest of the batch is not to follow.
func (s *liveSub) deliver(ctx context.Context, m *msgq.Message) bool {
	w := wire.NewMessage(m)
	w.Type, w.ID = "message", s.id
	line := wire.Line(w)
	full := s.c.out.tryPut(line)
	if full != nil {
		switch s.overflow {
		case overflowClose:
			s.c.close(closeStalled, "the client does not keep up")
			return false
		case overflowSkip:
			return s.skip(ctx, m.Seq)
		}
		if s.c.out.put(ctx, line) != nil {
			return false
		}
	}
	s.c.h.metrics.deliveries.WithLabelValues("live").Inc()
	return true
}

// What is done for a client that does not keep up.
const (
	overflowCatchup = "catchup" // read on at its pace
	overflowSkip    = "skip"    // jump to the newest
	overflowClose   = "close"
)

// skip waits for room and goes on with the newest message.
func (s *liveSub) skip(ctx context.Context, from uint64) bool {
	if s.c.out.drained(ctx) != nil {
		return false
	}
	to := s.reader.Skip().Seq
	s.c.send(skipped{Type: "skipped", ID: s.id, From: from, To: to})
	s.told = to
	return false
}
