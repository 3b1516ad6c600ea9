package msgq

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// QueueInfo is a queue and its counts. Ready, InFlight and Delivered come from the broker, which knows no
// filter: messages that the queue's filter passes over count until they are acknowledged silently.
type QueueInfo struct {
	Queue
	// Ready is how many messages wait for a delivery, the first one or that of a long retry or redrive which is due.
	Ready uint64
	// InFlight is how many were delivered and are not settled: they are with members or were pulled, wait for a retry no
	// longer than 30 s and the ack wait, or were given back or timed out and nobody has taken them since.
	InFlight int
	// Members is how many members and waiting pulls the queue has in all clients of this stream; a client that pushes is one.
	// Clients tell each other: what one hears comes within moments, and one that was killed counts for up to 15 s.
	Members int
	// WaitingRetry is how many wait longer than that for a retry.
	WaitingRetry uint64
	// Dead is how many dead letters it has now.
	Dead uint64
	// Delivered is how many deliveries the broker made since the queue was created, all attempts counted. It can fall
	// a little when the broker crashes.
	Delivered uint64
	// Acknowledged is how many messages members acknowledged since the queue was created, and how many its filter passed
	// over; no dead letters. It follows within about a second; what a process acknowledged in its last second is missing if it is killed.
	Acknowledged uint64
	// Expired is how many messages were delivered and then taken by retention, by their TTL or by a deletion before they were settled, as
	// far as a client with members was there to see it. The broker does not tell of those that nobody was given: Ready falls.
	Expired uint64
}

// QueueInfo returns one queue. Errors: [ErrQueueNotFound], [ErrUnavailable].
func (c *Client) QueueInfo(ctx context.Context, name string) (QueueInfo, error) {
	consumer, err := c.queueConsumer(ctx, name)
	if err != nil {
		return QueueInfo{}, err
	}
	copies, err := c.copiesInfo(ctx, name)
	if err != nil {
		return QueueInfo{}, err
	}
	return c.queueInfo(ctx, consumer, copies, nil)
}

// Queue returns one queue's settings without its counts, which cost more requests. Errors: those of [Client.QueueInfo].
func (c *Client) Queue(ctx context.Context, name string) (Queue, error) {
	consumer, err := c.queueConsumer(ctx, name)
	if err != nil {
		return Queue{}, err
	}
	q, _ := c.fromConsumer(consumer)
	return q, nil
}

// Queues lists all queues by name.
func (c *Client) Queues(ctx context.Context) ([]QueueInfo, error) {
	queues, _, err := c.QueuesAfter(ctx, "", math.MaxInt)
	return queues, err
}

// QueuesAfter lists up to limit queues whose names come after the given one, by name, and tells whether there are more.
func (c *Client) QueuesAfter(ctx context.Context, name string, limit int) (queues []QueueInfo, more bool, err error) {
	if limit < 1 {
		return nil, false, fmt.Errorf("%w: limit %d, 1 or more is allowed", ErrInvalidQueue, limit)
	}
	var all []*jetstream.ConsumerInfo
	err = c.eachQueue(ctx, func(q Queue, info *jetstream.ConsumerInfo) {
		if q.Name > name {
			all = append(all, info)
		}
	})
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(all, func(a, b *jetstream.ConsumerInfo) int { return strings.Compare(a.Name, b.Name) })
	more = len(all) > limit
	empty := make(map[string]bool) // most often they are: then nothing has to be counted queue by queue
	for _, stream := range []string{c.names.later, c.names.dead, c.names.counts} {
		if empty[stream], err = c.isEmpty(ctx, stream); err != nil {
			return nil, false, err
		}
	}
	copies, err := c.allCopies(ctx)
	if err != nil {
		return nil, false, err
	}
	all = all[:min(len(all), limit)]
	queues = make([]QueueInfo, len(all))
	counting, ctx := errgroup.WithContext(ctx)
	counting.SetLimit(countsAtOnce)
	for i, consumer := range all {
		counting.Go(func() (err error) {
			queues[i], err = c.queueInfo(ctx, consumer, cmp.Or(copies[consumer.Name], &jetstream.ConsumerInfo{}), empty)
			return err
		})
	}
	if err := counting.Wait(); err != nil {
		return nil, false, err
	}
	return queues, more, nil
}

// countsAtOnce is how many queues of a list are counted at a time: most of the time it is the broker's.
const countsAtOnce = 16

// QueueSettings lists all queues by name without their counts, which cost requests for each.
func (c *Client) QueueSettings(ctx context.Context) ([]Queue, error) {
	var queues []Queue
	err := c.eachQueue(ctx, func(q Queue, _ *jetstream.ConsumerInfo) { queues = append(queues, q) })
	return queues, err
}

func (c *Client) eachQueue(ctx context.Context, do func(Queue, *jetstream.ConsumerInfo)) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.events)
	if err != nil {
		return brokerError("list queues", err)
	}
	list := stream.ListConsumers(ctx)
	seen := make(map[string]bool) // of many, the broker tells of one twice if another is created meanwhile
	for info := range list.Info() {
		if q, ok := c.fromConsumer(info); ok && !seen[q.Name] && !isHalfMade(info) {
			seen[q.Name] = true
			do(q, info)
		}
	}
	return brokerError("list queues", list.Err())
}

func (c *Client) queueInfo(ctx context.Context, consumer, copies *jetstream.ConsumerInfo, empty map[string]bool) (QueueInfo, error) {
	q, _ := c.fromConsumer(consumer)
	info := QueueInfo{
		Queue: q, Members: c.roster.members(q.Name),
		Ready: consumer.NumPending + copies.NumPending, InFlight: consumer.NumAckPending + copies.NumAckPending,
		Delivered: metaUint(consumer, metaDelivered) + consumer.Delivered.Consumer + copies.Delivered.Consumer,
	}
	var err error
	if !empty[c.names.later] {
		if info.WaitingRetry, err = c.count(ctx, c.names.later, c.names.retries(q.Name)); err != nil {
			return QueueInfo{}, err
		}
	}
	if !empty[c.names.dead] {
		if info.Dead, err = c.count(ctx, c.names.dead, c.names.deadLetters(q.Name)); err != nil {
			return QueueInfo{}, err
		}
	}
	if !empty[c.names.counts] {
		counts, err := c.counts.read(ctx, q.Name)
		if err != nil {
			return QueueInfo{}, err
		}
		info.Acknowledged, info.Expired = counts[countAcknowledged(consumer.Created)], counts[countExpired]
	}
	return info, nil
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
