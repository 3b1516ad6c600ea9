package msgq

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// QueueInfo is a queue and its counts.
type QueueInfo struct {
	Queue
	// Ready is how many messages wait for their first delivery.
	Ready uint64
	// InFlight is how many are with members or wait for a retry shortly.
	InFlight int
	// WaitingRetry is how many wait longer for a retry: over 30 s or the ack wait.
	WaitingRetry uint64
	// Dead is how many dead letters it has.
	Dead uint64
}

// QueueInfo returns one queue. Errors: [ErrQueueNotFound], [ErrUnavailable].
func (c *Client) QueueInfo(ctx context.Context, name string) (QueueInfo, error) {
	consumer, err := c.queueConsumer(ctx, name)
	if err != nil {
		return QueueInfo{}, err
	}
	q, _ := c.fromConsumer(consumer)
	return c.queueInfo(ctx, q, consumer, nil)
}

// Queues lists all queues by name.
func (c *Client) Queues(ctx context.Context) ([]QueueInfo, error) {
	type found struct {
		q    Queue
		info *jetstream.ConsumerInfo
	}
	var all []found
	err := c.eachQueue(ctx, func(q Queue, info *jetstream.ConsumerInfo) { all = append(all, found{q, info}) })
	if err != nil {
		return nil, err
	}
	empty := make(map[string]bool) // most often both are: then nothing has to be counted queue by queue
	for _, name := range []string{c.names.later, c.names.dead} {
		if empty[name], err = c.isEmpty(ctx, name); err != nil {
			return nil, err
		}
	}
	var queues []QueueInfo
	for _, f := range all {
		info, err := c.queueInfo(ctx, f.q, f.info, empty)
		if err != nil {
			return nil, err
		}
		queues = append(queues, info)
	}
	return queues, nil
}

func (c *Client) eachQueue(ctx context.Context, do func(Queue, *jetstream.ConsumerInfo)) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.events)
	if err != nil {
		return brokerError("list queues", err)
	}
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if q, ok := c.fromConsumer(info); ok {
			do(q, info)
		}
	}
	return brokerError("list queues", list.Err())
}

func (c *Client) queueInfo(ctx context.Context, q Queue, consumer *jetstream.ConsumerInfo, empty map[string]bool) (QueueInfo, error) {
	info := QueueInfo{Queue: q, Ready: consumer.NumPending, InFlight: consumer.NumAckPending}
	var err error
	if !empty[c.names.later] {
		if info.WaitingRetry, err = c.count(ctx, c.names.later, c.names.retries(q.Name)); err != nil {
			return QueueInfo{}, err
		}
	}
	if !empty[c.names.dead] {
		info.Dead, err = c.count(ctx, c.names.dead, c.names.deadLetters(q.Name))
	}
	return info, err
}

func (c *Client) isEmpty(ctx context.Context, stream string) (bool, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return false, brokerError("count messages", err)
	}
	return s.CachedInfo().State.Msgs == 0, nil
}

// count counts the messages of a subject that has many: the broker tells with the
// first of them how many follow, and does not list them.
func (c *Client) count(ctx context.Context, stream, subject string) (uint64, error) {
	first, err := c.readRaw(ctx, stream, subject, 1, 1)
	if err != nil || len(first) == 0 {
		return 0, err
	}
	pending, err := strconv.ParseUint(first[0].Header.Get("Nats-Num-Pending"), 10, 64)
	return pending + 1, brokerError("count messages", err)
}

// readRaw reads up to n messages of a subject from a sequence on, without a consumer.
func (c *Client) readRaw(ctx context.Context, stream, subject string, from uint64, n int) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	batch, err := jetstreamext.GetBatch(ctx, c.js, stream, n, jetstreamext.GetBatchSeq(from),
		jetstreamext.GetBatchSubject(subject), jetstreamext.GetBatchMaxBytes(chunkBytes))
	if err != nil {
		return nil, brokerError("read "+stream, err)
	}
	var found []*jetstream.RawStreamMsg
	for raw, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, nil
		}
		if err != nil {
			return nil, brokerError("read "+stream, err)
		}
		found = append(found, raw)
	}
	return found, brokerError("read "+stream, ctx.Err()) // a request cut short looks like its end
}
