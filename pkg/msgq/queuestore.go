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

// Consumer metadata of a queue.
const (
	metaQueue     = "msgq-queue"     // its settings
	metaSeeks     = "msgq-seeks"     // how often it was sought
	metaDelivered = "msgq-delivered" // deliveries before the last seek: the broker counts from 1 again
)

// storedQueue is a queue as it stands in the consumer's metadata.
type storedQueue struct {
	Topics      []string        `json:"topics"`
	Filter      string          `json:"filter,omitempty"`
	Forced      string          `json:"forced,omitempty"`
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
	if errors.Is(err, ErrQueueNotFound) && !q.Existing {
		return true, c.createQueue(ctx, q)
	}
	if err != nil {
		return false, err
	}
	existing, _ := c.fromConsumer(info)
	if err := q.joins(existing); err != nil {
		return false, err
	}
	if q.Push != nil {
		if err := q.mayRead(existing); err != nil {
			return false, err
		}
	}
	q.Topics, q.Filter, q.Forced = existing.Topics, existing.Filter, existing.Forced
	q = q.withDefaults()
	if err := c.storeSecret(ctx, q.Name, q.Push, existing.Push); err != nil {
		return false, err
	}
	cfg := info.Config
	cfg.AckWait = q.AckWait
	cfg.Metadata = c.metadata(q)
	for _, key := range []string{metaSeeks, metaDelivered} {
		if text, ok := info.Config.Metadata[key]; ok {
			cfg.Metadata[key] = text
		}
	}
	timed, cancel := c.withTimeout(ctx)
	defer cancel()
	if _, err = c.js.UpdateConsumer(timed, c.names.events, cfg); err != nil {
		return false, brokerError("change the queue", err)
	}
	c.roster.altered(q.Name)
	if existing.Push.signs() && !q.Push.signs() {
		return false, c.deleteSecret(ctx, q.Name)
	}
	return false, nil
}

// DeleteQueue removes the queue, its retries, its dead letters and its push secret. Its members end with [ErrQueueNotFound].
func (c *Client) DeleteQueue(ctx context.Context, name string) error {
	if _, err := c.queueConsumer(ctx, name); err != nil {
		return err
	}
	if err := c.deleteSecret(ctx, name); err != nil {
		return err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.js.DeleteConsumer(ctx, c.names.events, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return brokerError("delete the queue", err)
	}
	left := append(c.copies(name), stored{c.names.dead, c.names.deadLetters(name)}, stored{c.names.counts, c.names.countsOf(name)})
	for _, l := range left {
		if err := c.purge(ctx, l, 0); err != nil {
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
	if err := c.storeSecret(ctx, q.Name, q.Push, nil); err != nil {
		return err
	}
	ctx, cancel := c.withTimeout(context.WithoutCancel(ctx)) // a queue half made starts elsewhere
	defer cancel()
	if err := c.createConsumer(ctx, q); err != nil {
		return brokerError("create the queue", err)
	}
	c.cfg.Logger.Info("queue created", "queue", q.Name, "topics", strings.Join(q.Topics, " "))
	return nil
}

// startWait bounds how long a queue is paused whose creator died before it set its start.
const startWait = 10 * time.Second

// createConsumer makes the consumer so that it can be sought later, which the broker allows to one from the oldest message on
// only. Until it stands where the queue starts it is paused: somebody may have joined it already.
func (c *Client) createConsumer(ctx context.Context, q Queue) error {
	cfg := c.consumerConfig(q)
	if q.From.kind == fromAll {
		_, err := c.js.CreateConsumer(ctx, c.names.events, cfg)
		return err
	}
	start, err := c.startSeq(ctx, q.Topics, q.From)
	if err != nil {
		return err
	}
	until := time.Now().Add(startWait)
	cfg.PauseUntil = &until
	if _, err := c.js.CreateConsumer(ctx, c.names.events, cfg); err != nil {
		return err
	}
	if _, err := c.js.ResetConsumerToSequence(ctx, c.names.events, q.Name, start); err != nil {
		_ = c.js.DeleteConsumer(ctx, c.names.events, q.Name) // it would start with the oldest message
		return err
	}
	_, err = c.js.ResumeConsumer(ctx, c.names.events, q.Name)
	return err
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
		Topics: q.Topics, Filter: q.Filter, Forced: q.Forced, MaxAttempts: q.MaxAttempts, Push: q.Push,
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
		Name: info.Name, Topics: s.Topics, Filter: s.Filter, Forced: s.Forced, MaxAttempts: s.MaxAttempts,
		AckWait: info.Config.AckWait, Push: s.Push,
		Backoff: Backoff{Base: s.BackoffBase, Max: s.BackoffMax, List: s.BackoffList},
	}, true
}
