package msgq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that this package returns. They come wrapped, with text that says what
// was received; test for them with [errors.Is].
var (
	// ErrInvalidTopic is returned for a topic or pattern that breaks the rules of [ValidateTopic] or [ValidatePattern].
	ErrInvalidTopic = errors.New("invalid topic")
	// ErrInvalidID is returned for a message id that is not 1 to 256 visible ASCII characters.
	ErrInvalidID = errors.New("invalid id")
	// ErrInvalidHeader is returned for message headers over a limit or with characters that are not allowed.
	ErrInvalidHeader = errors.New("invalid header")
	// ErrInvalidTTL is returned for a time to live under one second.
	ErrInvalidTTL = errors.New("invalid ttl")
	// ErrInvalidDelay is returned for a delay outside [MinDelay] to [MaxDelay], or a time to deliver at that is past.
	ErrInvalidDelay = errors.New("invalid delay")
	// ErrNotFound is returned for a delayed message that does not wait, because it is not there, due or cancelled.
	ErrNotFound = errors.New("not found")
	// ErrInvalidFilter is returned for a filter that does not compile; [errors.As] finds the *filter.Error with line and column.
	ErrInvalidFilter = errors.New("invalid filter")
	// ErrTooManyFilters is returned for a live subscription whose filter would be one more than [Config].MaxFilters.
	ErrTooManyFilters = errors.New("too many distinct filters")
	// ErrInvalidFrom is returned for a start position that is none.
	ErrInvalidFrom = errors.New("invalid from")
	// ErrInvalidQueue is returned for a queue name or setting outside its limits.
	ErrInvalidQueue = errors.New("invalid queue")
	// ErrTooLarge is returned for data that does not fit one message of the broker.
	ErrTooLarge = errors.New("too large")
	// ErrIDReused is returned when a message with this id and topic but other data is still held.
	ErrIDReused = errors.New("id reused")

	// ErrUnavailable is returned while the broker cannot be reached, does not answer in time, or lacks the stream.
	// The operation may or may not have taken place; a publish with an id can be repeated safely.
	ErrUnavailable = errors.New("broker unavailable")
	// ErrNoQuorum is the ErrUnavailable of a broker that is cut off from its cluster, or whose cluster has lost its majority.
	ErrNoQuorum = fmt.Errorf("%w: the stream has no leader with a majority of its replicas", ErrUnavailable)
	// ErrStreamFull is returned when the stream refuses messages because a limit is reached.
	ErrStreamFull = errors.New("stream full")

	// ErrQueueForced is returned by a join whose Forced filter is not the one the queue was created with.
	ErrQueueForced = errors.New("the queue was created with another forced filter")
	// ErrQueueMismatch is returned by a join whose topics or filter differ from those the queue was created with.
	ErrQueueMismatch = errors.New("queue mismatch")
	// ErrQueueNotFound is returned for a queue that does not exist.
	ErrQueueNotFound = errors.New("queue not found")
	// ErrTooManyQueues is returned when creating a queue would pass [Config].MaxQueues, or what the broker allows.
	ErrTooManyQueues = errors.New("too many queues")
	// ErrSettled is returned for a delivery that was acknowledged, given back or rejected before, or whose ack wait is over.
	ErrSettled = errors.New("delivery is settled or expired")
	// ErrClosed is returned after Close, Stop or Leave.
	ErrClosed = errors.New("closed")
)

// Server error codes, from nats-server/v2/server/errors.json.
const (
	codeConsumerNameExists  = 10148
	codeConsumerExists      = 10105
	codeWrongLastSequence   = 10071
	codeWrongLastSeqConst   = 10164
	codeInProcess           = 10158
	codeStoreFailed         = 10077
	codeInsufficientStorage = 10047
	codeResourcesExceeded   = 10023
	codeClusterNotAvailable = 10008
)

func apiCode(err error) jetstream.ErrorCode {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode
	}
	return 0
}

// brokerError turns what nats.go returns into this package's errors and keeps
// the cause, so that logs can show it.
func brokerError(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("%s: %w", op, ErrClosed)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", op, err)
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%s: %w: more than the broker takes", op, ErrTooLarge)
	}
	if isFull(err) {
		return fmt.Errorf("%s: %w: %w", op, ErrStreamFull, err)
	}
	return fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
}

// queueError is brokerError for what is done to the consumer of a queue.
func queueError(op, queue string, err error) error {
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDoesNotExist) {
		return fmt.Errorf("%w: %q", ErrQueueNotFound, queue)
	}
	if errors.Is(err, jetstream.ErrMaximumConsumersLimit) {
		return fmt.Errorf("%w: the broker allows the stream no more consumers", ErrTooManyQueues)
	}
	return brokerError(op, err)
}

func isFull(err error) bool {
	switch apiCode(err) {
	case codeStoreFailed: // also says "no space left on device", which is not about our limits
		return strings.Contains(err.Error(), "maximum")
	case codeInsufficientStorage, codeResourcesExceeded:
		return true
	}
	return false
}
