package msgq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// queueLife tells one consumer of a queue from the next: the queue may be made
// again or sought, and its stream may be lost and begin anew.
type queueLife struct {
	epoch     string
	created   time.Time
	began     time.Time // by the broker's clock: when the last pause is or was over, as that of a seek; else zero
	looked    time.Time // by the same clock
	delivered uint64    // position at that time
	partial   bool      // it was created just now, and messages that it was to start with are gone
}

// openQueue joins the queue or creates it, and returns its settings as they are.
func (c *Client) openQueue(ctx context.Context, q Queue) (Queue, queueLife, error) {
	if err := q.validate(); err != nil {
		return Queue{}, queueLife{}, err
	}
	state, err := c.state(ctx) // before the queue: what is found may be younger than this epoch, not older
	if err != nil {
		return Queue{}, queueLife{}, err
	}
	created := false
	for {
		info, err := c.startedQueue(ctx, q.Name)
		if err == nil {
			existing, _ := c.fromConsumer(info)
			if err = q.mayRead(existing); err == nil {
				err = q.joins(existing)
			}
			at := newQueueLife(state.Epoch, info)
			at.partial = created && !state.holds(q.From)
			return existing, at, err
		}
		if q.Existing || !errors.Is(err, ErrQueueNotFound) {
			return Queue{}, queueLife{}, err
		}
		err = c.createQueue(ctx, q)
		if err != nil && !isContested(err) {
			return Queue{}, queueLife{}, err
		}
		created = err == nil
	}
}

func newQueueLife(epoch string, info *jetstream.ConsumerInfo) queueLife {
	at := queueLife{epoch: epoch, created: info.Created, looked: info.TimeStamp, delivered: info.Delivered.Stream}
	if info.Config.PauseUntil != nil {
		at.began = *info.Config.PauseUntil
	}
	return at
}

// goes is how long it has been going on since it was made or sought.
func (l queueLife) goes() time.Duration { return l.looked.Sub(l.began) }

// isContested reports that somebody else was faster to create the queue, or deleted it while it was created: look again.
func isContested(err error) bool { return isThere(err) || errors.Is(err, ErrQueueNotFound) }

// isThere reports that somebody else was faster to create the queue.
func isThere(err error) bool {
	code := apiCode(err)
	return code == codeConsumerNameExists || code == codeConsumerExists
}

// reopenQueue looks at a queue that has members. Where it is gone because its
// stream was lost, it is made again and starts at the oldest message; where it
// was deleted, or made anew as something else, it is [ErrQueueNotFound]. seen is the
// highest sequence that it had delivered.
func (c *Client) reopenQueue(ctx context.Context, q Queue, at queueLife, seen uint64) (Queue, queueLife, error) {
	epoch := c.Epoch()
	info, err := c.queueConsumer(ctx, q.Name)
	if gone := errors.Is(err, ErrQueueNotFound); gone || err == nil && !info.Created.Equal(at.created) {
		state, stateErr := c.state(ctx)
		if stateErr != nil {
			return Queue{}, queueLife{}, stateErr
		}
		if gone && state.Epoch == at.epoch && state.Last >= seen {
			return Queue{}, queueLife{}, err
		}
		epoch = state.Epoch
		if gone {
			info, err = c.rebuildQueue(ctx, q)
		}
	}
	if err != nil {
		return Queue{}, queueLife{}, err
	}
	now, _ := c.fromConsumer(info)
	if err := q.joins(now); err != nil || q.Filter != now.Filter || q.Forced != now.Forced {
		return Queue{}, queueLife{}, fmt.Errorf("%w: %q was made anew with other topics or another filter", ErrQueueNotFound, q.Name)
	}
	return now, newQueueLife(epoch, info), nil
}

func (c *Client) rebuildQueue(ctx context.Context, q Queue) (*jetstream.ConsumerInfo, error) {
	timed, cancel := c.withTimeout(ctx)
	defer cancel()
	_, err := c.js.CreateConsumer(timed, c.names.events, c.consumerConfig(q))
	if err != nil && !isThere(err) {
		return nil, brokerError("make the queue again", err)
	}
	c.cfg.Logger.Warn("queue made again: its stream was lost", "queue", q.Name)
	return c.queueConsumer(ctx, q.Name)
}
