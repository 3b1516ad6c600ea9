package msgq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Consumer metadata of a queue.
const (
	metaQueue     = "msgq-queue"     // its settings
	metaSeeks     = "msgq-seeks"     // how often it was sought
	metaDelivered = "msgq-delivered" // deliveries before the last seek: the broker counts from 1 again
	metaCreation  = "msgq-creation"  // random until it is changed: the broker takes a second, equal creation for the first
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

// PutQueue creates the queue or changes its settings: those left out to their defaults, but for topics and filter,
// which stay as they were created. Of several that create it at once, one did. Errors: those of a join.
func (c *Client) PutQueue(ctx context.Context, q Queue) (created bool, err error) {
	if err := q.validate(); err != nil {
		return false, err
	}
	for gone := ""; ; {
		info, err := c.startedQueue(ctx, q.Name)
		if err == nil {
			existing, _ := c.fromConsumer(info)
			err = c.changeQueue(ctx, q, existing, info)
			if errors.Is(err, errSecretGone) && existing.Push.SecretID != gone {
				gone = existing.Push.SecretID // maybe by a change made just now
				continue
			}
		}
		if q.Existing || !errors.Is(err, ErrQueueNotFound) {
			return false, err
		}
		if err := c.createQueue(ctx, q); !isContested(err) {
			return err == nil, err
		}
	}
}

func (c *Client) changeQueue(ctx context.Context, q, existing Queue, info *jetstream.ConsumerInfo) error {
	if err := q.joins(existing); err != nil {
		return err
	}
	if q.Push != nil {
		if err := q.mayRead(existing); err != nil {
			return err
		}
	}
	q.Topics, q.Filter, q.Forced = existing.Topics, existing.Filter, existing.Forced
	q = q.withDefaults()
	secret, err := c.nameSecret(ctx, q, existing.Push)
	if err != nil {
		return err
	}
	if err := c.storeSecret(ctx, q, secret); err != nil {
		return err
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
	if _, err := c.js.UpdateConsumer(timed, c.names.events, cfg); err != nil {
		return queueError("change the queue", q.Name, err)
	}
	if err := c.ensureCopies(context.WithoutCancel(ctx), q.Name); err != nil {
		return err
	}
	c.roster.altered(q.Name)
	if !existing.Push.signs() && !q.Push.signs() {
		return nil
	}
	if err := c.storeSecret(ctx, q, secret); err != nil { // another change may have dropped it before these settings named it
		return err
	}
	return c.dropSecrets(ctx, q.Name)
}

// DeleteQueue removes the queue, its retries, its dead letters and its push secrets, also when ctx
// ends meanwhile. Its members end with [ErrQueueNotFound]. One that the broker's death cut short can be
// repeated: it removes what is left, and is [ErrQueueNotFound]. Errors: those of [Client.QueueInfo].
func (c *Client) DeleteQueue(ctx context.Context, name string) error {
	_, err := c.queueConsumer(ctx, name)
	ctx = context.WithoutCancel(ctx) // what is left of a queue half deleted would be that of the next with its name
	if errors.Is(err, ErrQueueNotFound) {
		return cmp.Or(c.purgeQueue(ctx, name), err)
	}
	if err != nil {
		return err
	}
	if err := c.deleteSecrets(ctx, name); err != nil {
		return err
	}
	// First: who dies here must not leave them to the next queue of that name. One made again over a stream that was lost keeps its own.
	if err := c.purge(ctx, stored{c.names.dead, c.names.deadLetters(name)}, 0); err != nil {
		return brokerError("delete the dead letters of the queue", err)
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.js.DeleteConsumer(ctx, c.names.events, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return brokerError("delete the queue", err)
	}
	c.roster.altered(name) // the broker tells only members that have asked it for messages
	return c.purgeQueue(ctx, name)
}

// purgeQueue removes what a deleted queue has left but for its secrets, which may be those of one that is being made.
func (c *Client) purgeQueue(ctx context.Context, name string) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	if err := c.deleteCopiesConsumer(ctx, name); err != nil {
		return err
	}
	left := []stored{{c.names.dead, c.names.deadLetters(name)}, {c.names.counts, c.names.countsOf(name)}}
	left = append(left, c.placesOfCopies(name)...) // last: dead letters may be redriven meanwhile
	for _, l := range left {
		if err := c.purge(ctx, l, 0); err != nil {
			return brokerError("delete what is left of the queue", err)
		}
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
	if err != nil {
		return nil, queueError("look at the queue", name, err)
	}
	info := consumer.CachedInfo()
	if _, ok := c.fromConsumer(info); !ok {
		return nil, fmt.Errorf("%w: a consumer named %q exists that is no queue", ErrInvalidQueue, name)
	}
	if isHalfMade(info) {
		return nil, queueError("look at the queue", name, jetstream.ErrConsumerNotFound)
	}
	return info, nil
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

// metaUint is a number in a queue's metadata, zero if it is not there.
func metaUint(info *jetstream.ConsumerInfo, key string) uint64 {
	n, err := strconv.ParseUint(info.Config.Metadata[key], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
