package msgq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// ackPending bounds messages of one queue that are out or wait for a retry, and as many copies.
const ackPending = 20_000

// maxWaiting bounds the pull requests that wait at a queue: about one for each member.
const maxWaiting = 10_000

func (c *Client) createQueue(ctx context.Context, q Queue) error {
	if len(q.Topics) == 0 {
		return fmt.Errorf("%w: queue %q does not exist, and is created only with 1 to %d topics", ErrInvalidTopic, q.Name, MaxPatterns)
	}
	q = q.withDefaults()
	n := 0
	err := c.eachQueue(ctx, func(other Queue, _ *jetstream.ConsumerInfo) {
		if other.Name != q.Name { // by somebody who was faster
			n++
		}
	})
	if err != nil {
		return err
	}
	if n >= c.cfg.MaxQueues {
		return fmt.Errorf("%w: %d exist, at most %d are allowed", ErrTooManyQueues, n, c.cfg.MaxQueues)
	}
	ctx, cancel := c.withTimeout(context.WithoutCancel(ctx)) // a queue half made starts elsewhere
	defer cancel()
	if err := c.createConsumer(ctx, q); err != nil {
		return queueError("create the queue", q.Name, err)
	}
	c.cfg.Logger.Info("queue created", "queue", q.Name, "topics", strings.Join(q.Topics, " "))
	return nil
}

const (
	// startWait bounds how long a queue takes to get its start: longer than the requests for that, whose maker may have died.
	startWait = 10 * time.Second
	// creationPause is for ever: a queue whose creator died would go on from the oldest message.
	creationPause = 100 * 365 * 24 * time.Hour
)

// isHalfMade is what a creator left that died: it told nobody of the queue. The next creator deletes it; were it whoever looks, one that
// is slow could delete what another has made since.
func isHalfMade(info *jetstream.ConsumerInfo) bool {
	created := info.Config.Metadata[metaCreation] != "" && info.Delivered.Consumer == 0
	return created && info.PauseRemaining > creationPause/2 && info.TimeStamp.Sub(info.Created) > startWait
}

// startPoll is how often one that somebody else creates is looked at.
const startPoll = 20 * time.Millisecond

// createConsumer makes the consumer so that it can be sought later, which the broker allows to one from the oldest message on
// only. Until it stands where the queue starts it is paused: somebody may have joined it already.
func (c *Client) createConsumer(ctx context.Context, q Queue) error {
	secret, err := c.nameSecret(ctx, q, nil)
	if err != nil {
		return err
	}
	start, err := c.startSeq(ctx, q.Topics, q.From)
	if err != nil {
		return err
	}
	if err := c.deleteConsumerIf(ctx, q.Name, isHalfMade); err != nil {
		return err
	}
	cfg := c.consumerConfig(q)
	creation := nuid.Next()
	cfg.Metadata[metaCreation] = creation
	until := time.Now().Add(creationPause)
	cfg.PauseUntil = &until
	if _, err := c.js.CreateConsumer(ctx, c.names.events, cfg); err != nil {
		return err
	}
	if err = c.storeSecret(ctx, q, secret); err == nil { // not before: others may create it with theirs
		_, err = c.js.ResetConsumerToSequence(ctx, c.names.events, q.Name, start)
	}
	if err == nil {
		err = c.createCopies(ctx, q)
	}
	if err != nil {
		ctx, cancel := c.withTimeout(context.WithoutCancel(ctx)) // err may be that of the other's end
		defer cancel()
		_ = c.deleteConsumerIf(ctx, q.Name, func(info *jetstream.ConsumerInfo) bool { // it would start with the oldest message
			return info.Config.Metadata[metaCreation] == creation // after a hang it may be that of another creator
		})
		return err
	}
	_, err = c.js.ResumeConsumer(ctx, c.names.events, q.Name)
	return err
}

// deleteConsumerIf deletes the consumer of a queue if it is such a one.
func (c *Client) deleteConsumerIf(ctx context.Context, queue string, is func(*jetstream.ConsumerInfo) bool) error {
	consumer, err := c.js.Consumer(ctx, c.names.events, queue)
	if err == nil && is(consumer.CachedInfo()) {
		err = c.js.DeleteConsumer(ctx, c.names.events, queue)
	}
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	return err
}

// isPaused looks at the settings too: of a consumer that does not run yet a cluster tells nothing else.
func isPaused(info *jetstream.ConsumerInfo) bool {
	until := info.Config.PauseUntil
	return info.Paused || until != nil && until.After(info.TimeStamp)
}

// lookTime is how long one look at a queue may take. A cluster leaves some unanswered while the queue is created.
const lookTime = time.Second

// lookAtQueue looks again until there is an answer.
func (c *Client) lookAtQueue(ctx context.Context, name string) (*jetstream.ConsumerInfo, error) {
	for {
		timed, cancel := context.WithTimeout(ctx, lookTime)
		info, err := c.queueConsumer(timed, name)
		cancel()
		if !errors.Is(err, ErrUnavailable) || c.nc.Status() != nats.CONNECTED || sleep(ctx, startPoll) != nil {
			return info, err
		}
	}
}

// startedQueue is a queue that nobody is about to create or seek. Who asks a paused one for messages may wait on when it is not.
func (c *Client) startedQueue(ctx context.Context, name string) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for {
		info, err := c.lookAtQueue(ctx, name)
		if err != nil || !isPaused(info) {
			return info, err
		}
		if err := sleep(ctx, startPoll); err != nil {
			return nil, brokerError("wait until the queue has its start", err)
		}
	}
}

// consumerConfig is the durable consumer that gives a queue its messages, starting at the oldest.
func (c *Client) consumerConfig(q Queue) jetstream.ConsumerConfig {
	cfg := c.anyConsumerConfig(q)
	cfg.Metadata = c.metadata(q)
	for _, p := range minimalPatterns(q.Topics) {
		cfg.FilterSubjects = append(cfg.FilterSubjects, c.names.topic(p))
	}
	return cfg
}

// anyConsumerConfig is what both consumers of a queue have.
func (c *Client) anyConsumerConfig(q Queue) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       q.Name,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       q.AckWait,
		MaxDeliver:    -1, // attempts are counted here: the broker would just stop delivering
		MaxAckPending: ackPending,
		MaxWaiting:    maxWaiting,
		Replicas:      c.cfg.Replicas,
	}
}
