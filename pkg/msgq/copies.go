package msgq

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// A queue has two consumers of its name: one of the events, that gives it the messages published, and one of the later messages, that
// gives it copies: retries that waited long, what was redriven, what was given back. With one consumer for both, a broker with
// many topics would look through all of them for each message.
//
// The consumer of copies has no settings but the ack wait, and begins with the oldest copy. So it can be made at any time, by whoever
// finds that it is not there.

func (c *Client) copiesConfig(q Queue) jetstream.ConsumerConfig {
	cfg := c.anyConsumerConfig(q)
	cfg.FilterSubject = c.names.copy(q.Name) + ">"
	return cfg
}

// createCopies is for a new queue: nothing of another one of its name may be left.
func (c *Client) createCopies(ctx context.Context, q Queue) error {
	if err := c.deleteCopiesConsumer(ctx, q.Name); err != nil {
		return err
	}
	for _, place := range c.placesOfCopies(q.Name) {
		if err := c.purge(ctx, place, 0); err != nil {
			return brokerError("remove what a queue before has left", err)
		}
	}
	_, err := c.js.CreateConsumer(ctx, c.names.later, c.copiesConfig(q))
	if isThere(err) {
		return nil
	}
	return brokerError("make the consumer of copies", err)
}

// ensureCopies has the consumer as the queue is, also where both are changed or deleted meanwhile.
func (c *Client) ensureCopies(ctx context.Context, queue string) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for {
		q, err := c.Queue(ctx, queue)
		if errors.Is(err, ErrQueueNotFound) {
			return cmp.Or(c.deleteCopiesConsumer(ctx, queue), err) // if it is made again now, whoever misses it ensures it
		}
		if err != nil {
			return err
		}
		consumer, err := c.js.Consumer(ctx, c.names.later, queue)
		switch {
		case err == nil && consumer.CachedInfo().Config.AckWait == q.AckWait:
			return nil
		case err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound):
			return brokerError("look for the consumer of copies", err)
		}
		if _, err := c.js.CreateOrUpdateConsumer(ctx, c.names.later, c.copiesConfig(q)); err != nil {
			return brokerError("make the consumer of copies", err)
		}
	}
}

// restoreCopies is ensureCopies in the background, once at a time for a queue. Who finds the consumer missing still asks for it again.
func (c *Client) restoreCopies(queue string) {
	if _, busy := c.restoring.LoadOrStore(queue, struct{}{}); busy {
		return
	}
	restore := func() {
		defer c.restoring.Delete(queue)
		if err := c.ensureCopies(c.ctx, queue); err != nil && c.ctx.Err() == nil && !errors.Is(err, ErrQueueNotFound) {
			c.cfg.Logger.Warn("retries that waited long and redriven messages do not come, trying again", "queue", queue, "error", err)
		}
	}
	if !c.begin(restore) {
		c.restoring.Delete(queue)
	}
}

func (c *Client) deleteCopiesConsumer(ctx context.Context, queue string) error {
	err := c.js.DeleteConsumer(ctx, c.names.later, queue)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	return brokerError("delete the consumer of copies", err)
}

// copiesInfo is empty where the consumer is not there.
func (c *Client) copiesInfo(ctx context.Context, queue string) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	consumer, err := c.js.Consumer(ctx, c.names.later, queue)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return &jetstream.ConsumerInfo{}, nil
	}
	if err != nil {
		return nil, brokerError("count copies", err)
	}
	return consumer.CachedInfo(), nil
}

// allCopies has the consumers of all queues by name. Others that the stream may have are none of ours.
func (c *Client) allCopies(ctx context.Context) (map[string]*jetstream.ConsumerInfo, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.later)
	if err != nil {
		return nil, brokerError("count copies", err)
	}
	list := stream.ListConsumers(ctx)
	all := make(map[string]*jetstream.ConsumerInfo)
	for info := range list.Info() {
		if info.Config.FilterSubject == c.names.copy(info.Name)+">" {
			all[info.Name] = info
		}
	}
	return all, brokerError("count copies", list.Err())
}

// stored is where messages of a queue lie.
type stored struct{ stream, subject string }

// placesOfCopies are where a queue has messages of its own, in the order that they take.
func (c *Client) placesOfCopies(queue string) []stored {
	return []stored{
		{c.names.later, c.names.retries(queue)},
		{c.names.later, c.names.copy(queue) + ">"},
		{c.names.later, c.names.due("q." + queue + ".>")}, // of versions that had them among the events
		{c.names.events, c.names.queue(queue) + ">"},
	}
}

// purge removes what is stored there up to a sequence, or all of it.
func (c *Client) purge(ctx context.Context, l stored, until uint64) error {
	stream, err := c.js.Stream(ctx, l.stream)
	if err != nil {
		return fmt.Errorf("%s: %w", l.stream, err)
	}
	opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(l.subject)}
	if until > 0 {
		opts = append(opts, jetstream.WithPurgeSequence(until+1))
	}
	return stream.Purge(ctx, opts...)
}
