package msgq

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SeekQueue starts the queue over from a position of the stream: what lies behind it is delivered as if for the first time, what
// lies before it is not. Members stay and go on from there, and let go of what they have from before. What waited for a retry or
// was redriven and is not settled is forgotten, since the messages it stands for come again if the position says so; dead letters
// stay. The outcome of a delivery that is out while the queue is sought may or may not count; that of an older tag is
// [ErrSettled]. Takes about 100 ms, in which nothing is delivered. Errors: [ErrQueueNotFound], [ErrInvalidFrom],
// [ErrUnavailable], and [ErrInvalidQueue] for a queue made before queues could be sought, which stays as it was.
func (c *Client) SeekQueue(ctx context.Context, name string, from From) error {
	if err := from.validate(); err != nil {
		return err
	}
	if _, err := c.startedQueue(ctx, name); err != nil { // before it is remembered
		return err
	}
	done, err := c.seeks.begin(ctx, name)
	if err != nil {
		return brokerError("seek", err)
	}
	defer done()
	info, err := c.startedQueue(ctx, name)
	if err != nil {
		return err
	}
	if info.Config.DeliverPolicy != jetstream.DeliverAllPolicy { // the broker would refuse when the retries are gone
		return fmt.Errorf("%w: %q was made by a version whose queues cannot be sought: delete it and make it again", ErrInvalidQueue, name)
	}
	q, _ := c.fromConsumer(info)
	start, err := c.startSeq(ctx, q.Topics, from)
	if err != nil {
		return err
	}
	ctx, cancel := c.withTimeout(context.WithoutCancel(ctx)) // a queue half sought would stay paused
	defer cancel()
	if _, err := c.pauseQueue(ctx, name, startWait); err != nil {
		return err
	}
	q, secret, info, err := c.queueAndSecret(ctx, name) // again: a change that begins now waits until it is not paused
	if err != nil {
		return err
	}
	cfg := info.Config
	cfg.Metadata = c.metadata(q)
	cfg.Metadata[metaSeeks] = strconv.FormatUint(metaUint(info, metaSeeks)+1, 10)
	cfg.Metadata[metaDelivered] = strconv.FormatUint(metaUint(info, metaDelivered)+info.Delivered.Consumer, 10)
	if _, err := c.js.UpdateConsumer(ctx, c.names.events, cfg); err != nil {
		return queueError("seek", name, err)
	}
	if err := c.storeSecret(ctx, q, secret); err != nil { // a change that had begun may have dropped it
		return err
	}
	if _, err := c.js.ResetConsumerToSequence(ctx, c.names.events, name, start); err != nil {
		return queueError("seek", name, err)
	}
	for _, l := range c.placesOfCopies(name) { // before one of a message delivered again meets an old one on its subject
		if err := c.purge(ctx, l, 0); err != nil {
			return brokerError("forget the queue's retries", err)
		}
	}
	if err := c.endPause(ctx, name); err != nil {
		return err
	}
	c.roster.altered(name)
	return nil
}

// seeks has those of one queue that this client makes wait for each other: each takes its pause for the queue's.
type seeks struct{ queues sync.Map } // a chan struct{} for each queue that was sought

func (s *seeks) begin(ctx context.Context, queue string) (done func(), err error) {
	v, _ := s.queues.LoadOrStore(queue, make(chan struct{}, 1))
	turn, _ := v.(chan struct{})
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// seekGap is for how long at least nothing is delivered between what was before a seek and what is after it: much longer
// than a message is on its way. Members tell by it what they have from before.
const seekGap = 100 * time.Millisecond

// endPause has a paused queue go on after the gap, and returns when it does. It is not resumed at once, and not by a pause
// whose end has passed: at that the broker would leave those who wait as they are.
func (c *Client) endPause(ctx context.Context, name string) error {
	for gap := seekGap; ; gap *= 2 {
		info, err := c.pauseQueue(ctx, name, gap)
		if err != nil {
			return err
		}
		if info.Paused || info.Delivered.Consumer > 0 { // else the broker was too slow, and maybe nothing has woken it since
			return brokerError("seek", sleep(ctx, info.PauseRemaining))
		}
	}
}

// pauseQueue pauses for so long from now on, by the clock of the broker, and tells how the queue is then.
func (c *Client) pauseQueue(ctx context.Context, name string, pause time.Duration) (*jetstream.ConsumerInfo, error) {
	info, err := c.queueConsumer(ctx, name)
	if err != nil {
		return nil, err
	}
	until := info.TimeStamp.Add(pause)
	if _, err := c.js.PauseConsumer(ctx, c.names.events, name, until); err != nil {
		return nil, queueError("seek", name, err)
	}
	for {
		info, err := c.queueConsumer(ctx, name)
		if err != nil {
			return nil, err
		}
		if at := info.Config.PauseUntil; at != nil && at.Equal(until) { // a cluster answers before it has done it
			return info, nil
		}
		if err := sleep(ctx, startPoll); err != nil {
			return nil, brokerError("seek", err)
		}
	}
}

// startSeq is the sequence of the first message that a queue gets.
func (c *Client) startSeq(ctx context.Context, topics []string, from From) (uint64, error) {
	state, err := c.state(ctx)
	if err != nil {
		return 0, err
	}
	switch from.kind {
	case fromAfter:
		if from.pos.Epoch != "" && from.pos.Epoch != state.Epoch {
			return 1, nil // another life of the stream: from the oldest held
		}
		return min(from.pos.Seq, state.Last) + 1, nil
	case fromTime:
		first, err := c.find(ctx, question{Time: &from.time})
		if err != nil || first.seq > 0 {
			return first.seq, err
		}
	case fromLast:
		before, err := c.seqBeforeLast(ctx, topics, from.last, state)
		return before + 1, err
	case fromAll:
		return 1, nil
	}
	return state.Last + 1, nil
}
