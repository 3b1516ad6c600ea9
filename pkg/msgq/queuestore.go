package msgq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// metaQueue is the consumer metadata that holds a queue's settings.
const metaQueue = "msgq-queue"

// storedQueue is a queue as it stands in the consumer's metadata.
type storedQueue struct {
	Topics      []string        `json:"topics"`
	Filter      string          `json:"filter,omitempty"`
	MaxAttempts int             `json:"max_attempts"`
	BackoffBase time.Duration   `json:"backoff_base,omitempty"` // nanoseconds, as the next two
	BackoffMax  time.Duration   `json:"backoff_max,omitempty"`
	BackoffList []time.Duration `json:"backoff_list,omitempty"`
	Push        *Push           `json:"push,omitempty"`
}

// ackPending bounds messages of one queue that are out or wait for a retry.
const ackPending = 20_000

// maxWaiting bounds the pull requests that wait at a queue: about one for each member.
const maxWaiting = 10_000

// PutQueue creates the queue or changes its settings; topics and filter stay as
// they were created. Errors: those of a join.
func (c *Client) PutQueue(ctx context.Context, q Queue) (created bool, err error) {
	if err := q.validate(); err != nil {
		return false, err
	}
	info, err := c.queueConsumer(ctx, q.Name)
	if errors.Is(err, ErrQueueNotFound) {
		return true, c.createQueue(ctx, q)
	}
	if err != nil {
		return false, err
	}
	existing, _ := c.fromConsumer(info)
	if err := q.joins(existing); err != nil {
		return false, err
	}
	q.Topics, q.Filter = existing.Topics, existing.Filter
	q = q.withDefaults()
	cfg := info.Config
	cfg.AckWait = q.AckWait
	cfg.Metadata = c.metadata(q)
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	_, err = c.js.UpdateConsumer(ctx, c.names.events, cfg)
	return false, brokerError("change the queue", err)
}

// DeleteQueue removes the queue, its retries and its dead letters. Its members end with [ErrQueueNotFound].
func (c *Client) DeleteQueue(ctx context.Context, name string) error {
	if _, err := c.queueConsumer(ctx, name); err != nil {
		return err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.js.DeleteConsumer(ctx, c.names.events, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return brokerError("delete the queue", err)
	}
	// In the order that messages take, so that none slips past.
	for _, left := range []struct{ stream, subject string }{
		{c.names.later, c.names.retries(name)},
		{c.names.later, c.names.due("q." + name + ".>")},
		{c.names.events, c.names.queue(name) + ">"},
		{c.names.dead, c.names.deadLetters(name)},
	} {
		stream, err := c.js.Stream(ctx, left.stream)
		if err != nil {
			return brokerError("delete what is left of the queue", err)
		}
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(left.subject)); err != nil {
			return brokerError("delete what is left of the queue", err)
		}
	}
	return nil
}

func (c *Client) createQueue(ctx context.Context, q Queue) error {
	if err := validatePatterns(q.Topics); err != nil {
		return err
	}
	q = q.withDefaults()
	n := 0
	if err := c.eachQueue(ctx, func(Queue, *jetstream.ConsumerInfo) { n++ }); err != nil {
		return err
	}
	if n >= c.cfg.MaxQueues {
		return fmt.Errorf("%w: %d exist, at most %d are allowed", ErrTooManyQueues, n, c.cfg.MaxQueues)
	}
	cfg := c.consumerConfig(q)
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.deliverFrom(ctx, q, &cfg); err != nil {
		return err
	}
	_, err := c.js.CreateConsumer(ctx, c.names.events, cfg)
	if err == nil {
		c.cfg.Logger.Info("queue created", "queue", q.Name, "topics", strings.Join(q.Topics, " "))
	}
	return brokerError("create the queue", err)
}

// consumerConfig is the durable consumer that makes a queue, starting at the oldest message.
func (c *Client) consumerConfig(q Queue) jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		Durable:        q.Name,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        q.AckWait,
		MaxDeliver:     -1, // attempts are counted here: the broker would just stop delivering
		MaxAckPending:  ackPending,
		MaxWaiting:     maxWaiting,
		FilterSubjects: []string{c.names.queue(q.Name) + ">"},
		Replicas:       c.cfg.Replicas,
		Metadata:       c.metadata(q),
	}
	for _, p := range minimalPatterns(q.Topics) {
		cfg.FilterSubjects = append(cfg.FilterSubjects, c.names.topic(p))
	}
	return cfg
}

// deliverFrom sets where the consumer starts.
func (c *Client) deliverFrom(ctx context.Context, q Queue, cfg *jetstream.ConsumerConfig) error {
	switch q.From.kind {
	case fromNew:
		cfg.DeliverPolicy = jetstream.DeliverNewPolicy
	case fromAll:
		cfg.DeliverPolicy = jetstream.DeliverAllPolicy
	case fromTime:
		cfg.DeliverPolicy = jetstream.DeliverByStartTimePolicy
		cfg.OptStartTime = &q.From.time
	case fromAfter, fromLast:
		state, err := c.state(ctx)
		if err != nil {
			return err
		}
		after := q.From.pos.Seq
		if q.From.kind == fromLast {
			after, err = c.seqBeforeLast(ctx, q.Topics, q.From.last, state)
		} else if q.From.pos.Epoch != "" && q.From.pos.Epoch != state.Epoch {
			after = 0 // another life of the stream: from the oldest held
		}
		cfg.DeliverPolicy = jetstream.DeliverByStartSequencePolicy
		cfg.OptStartSeq = after + 1
		return err
	}
	return nil
}

func (c *Client) queueConsumer(ctx context.Context, name string) (*jetstream.ConsumerInfo, error) {
	if err := ValidateQueueName(name); err != nil {
		return nil, err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	consumer, err := c.js.Consumer(ctx, c.names.events, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("%w: %q", ErrQueueNotFound, name)
	}
	if err != nil {
		return nil, brokerError("look at the queue", err)
	}
	if _, ok := c.fromConsumer(consumer.CachedInfo()); !ok {
		return nil, fmt.Errorf("%w: a consumer named %q exists that is no queue", ErrInvalidQueue, name)
	}
	return consumer.CachedInfo(), nil
}

func (c *Client) metadata(q Queue) map[string]string {
	text, err := json.Marshal(storedQueue{
		Topics: q.Topics, Filter: q.Filter, MaxAttempts: q.MaxAttempts, Push: q.Push,
		BackoffBase: q.Backoff.Base, BackoffMax: q.Backoff.Max, BackoffList: q.Backoff.List,
	})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return map[string]string{metaQueue: string(text)}
}

// fromConsumer is false for a consumer that is no queue.
func (c *Client) fromConsumer(info *jetstream.ConsumerInfo) (Queue, bool) {
	var s storedQueue
	if json.Unmarshal([]byte(info.Config.Metadata[metaQueue]), &s) != nil {
		return Queue{}, false
	}
	return Queue{
		Name: info.Name, Topics: s.Topics, Filter: s.Filter, MaxAttempts: s.MaxAttempts, AckWait: info.Config.AckWait, Push: s.Push,
		Backoff: Backoff{Base: s.BackoffBase, Max: s.BackoffMax, List: s.BackoffList},
	}, true
}
