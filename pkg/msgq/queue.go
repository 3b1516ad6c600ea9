package msgq

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// Queue is a named durable subscription. Each of its messages goes to one
// member, until one acknowledges it or MaxAttempts deliveries failed; then it
// is a dead letter. The first use creates the queue, later ones join it.
type Queue struct {
	// Name is 1 to 64 characters of A-Z a-z 0-9 _ -.
	Name string
	// Topics are 1 to 16 patterns. May be left out where the queue exists.
	Topics []string
	// Filter is a CEL expression: messages that do not match are acknowledged silently. May be left out where the queue exists.
	Filter string
	// Forced is a filter in addition to Filter: what whoever creates the queue may see at most. Only who
	// names the same may join, and have the queue pushed.
	Forced string
	// Existing has a queue that does not exist not created: [ErrQueueNotFound].
	Existing bool
	// MaxAttempts is how often a message is delivered, 1 to 1000. Default: 5.
	MaxAttempts int
	// AckWait is how long a member has for a message, 100ms to 12h. Default: 30 s.
	AckWait time.Duration
	// Backoff is the wait between attempts. Default: [DefaultBackoff].
	Backoff Backoff
	// From is where a new queue starts. The zero value is [FromNew].
	From From
	// Push, if set, has the subscribe service POST each message to a URL.
	Push *Push
}

// Limits and defaults of queue settings.
const (
	DefaultMaxAttempts = 5
	DefaultAckWait     = 30 * time.Second
	maxAttempts        = 1000
	maxQueueName       = 64
	minAckWait         = 100 * time.Millisecond
	maxAckWait         = 12 * time.Hour
	maxConcurrency     = 1000
)

// ValidateQueueName reports whether name is 1 to 64 characters of [A-Za-z0-9_-].
func ValidateQueueName(name string) error {
	if !isName(name) || len(name) > maxQueueName {
		return fmt.Errorf("%w: name %q, 1 to %d characters of A-Z a-z 0-9 _ - are allowed", ErrInvalidQueue, name, maxQueueName)
	}
	return nil
}

// validate checks what is set; what is left out may come from the queue joined.
func (q Queue) validate() error {
	if err := ValidateQueueName(q.Name); err != nil {
		return err
	}
	if len(q.Topics) > 0 {
		if err := validatePatterns(q.Topics); err != nil {
			return err
		}
	}
	if _, err := q.compile(); err != nil {
		return err
	}
	if q.MaxAttempts < 0 || q.MaxAttempts > maxAttempts {
		return fmt.Errorf("%w: max_attempts %d, 1 to %d are allowed", ErrInvalidQueue, q.MaxAttempts, maxAttempts)
	}
	if q.AckWait != 0 && (q.AckWait < minAckWait || q.AckWait > maxAckWait) {
		return fmt.Errorf("%w: ack_wait %s, %s to %s are allowed", ErrInvalidQueue, q.AckWait, minAckWait, maxAckWait)
	}
	if err := q.Backoff.validate(); err != nil {
		return err
	}
	if err := q.Push.validate(); err != nil {
		return err
	}
	return q.From.validate()
}

// compile makes one filter of both.
func (q Queue) compile() (*filter.Filter, error) {
	if q.Forced == "" { // nearly always, and each pull compiles
		return compileFilter(q.Filter)
	}
	text, err := filter.And(q.Forced, q.Filter)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidFilter, err)
	}
	return compileFilter(text)
}

func (q Queue) withDefaults() Queue {
	setDefault(&q.MaxAttempts, DefaultMaxAttempts)
	setDefault(&q.AckWait, DefaultAckWait)
	q.Backoff = q.Backoff.withDefaults()
	q.Push = q.Push.withDefaults()
	return q
}

// joins reports whether a member with these settings may share the queue.
func (q Queue) joins(existing Queue) error {
	if len(q.Topics) > 0 && !sameSet(q.Topics, existing.Topics) {
		return fmt.Errorf("%w: queue %q has the topics %q, asked for were %q", ErrQueueMismatch, q.Name, existing.Topics, q.Topics)
	}
	if q.Filter != "" && q.Filter != existing.Filter {
		return fmt.Errorf("%w: queue %q has the filter %q, asked for was %q", ErrQueueMismatch, q.Name, existing.Filter, q.Filter)
	}
	return nil
}

// differences tells which settings, of those that are asked for, an existing queue has otherwise.
func (q Queue) differences(existing Queue) (found []string) {
	want := q.withDefaults()
	if q.MaxAttempts != 0 && want.MaxAttempts != existing.MaxAttempts {
		found = append(found, fmt.Sprintf("MaxAttempts is %d, not %d", existing.MaxAttempts, want.MaxAttempts))
	}
	if q.AckWait != 0 && want.AckWait != existing.AckWait {
		found = append(found, fmt.Sprintf("AckWait is %s, not %s", existing.AckWait, want.AckWait))
	}
	if !reflect.ValueOf(q.Backoff).IsZero() && !reflect.DeepEqual(want.Backoff, existing.Backoff) {
		found = append(found, fmt.Sprintf("Backoff is %+v, not %+v", existing.Backoff, want.Backoff))
	}
	return found
}

// mayRead reports whether these settings allow getting the queue's messages.
func (q Queue) mayRead(existing Queue) error {
	if q.Forced != existing.Forced {
		return fmt.Errorf("%w: queue %q", ErrQueueForced, q.Name)
	}
	return nil
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
