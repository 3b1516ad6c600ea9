package msgq

import (
	"fmt"
	"time"
)

// PublishOption changes one publish.
type PublishOption func(*publishOptions)

type publishOptions struct {
	ttl   *time.Duration
	delay *time.Duration
	at    *time.Time
	scope string
}

// Limits of what options ask for.
const (
	// maxTTL: the stream's own retention is shorter.
	maxTTL = 10 * 365 * 24 * time.Hour
	// MinDelay and MaxDelay bound how long a message can be delayed.
	MinDelay = time.Second
	MaxDelay = 8760 * time.Hour
)

// WithTTL forgets the message d after it was stored, or was due: 1 s to 10 years, in whole seconds (rounded up).
func WithTTL(d time.Duration) PublishOption {
	return func(o *publishOptions) { o.ttl = &d }
}

// WithDelay delivers the message d from now, [MinDelay] to [MaxDelay]: never
// early, and at most 500 ms late where fewer than 1,000 are due in one moment.
func WithDelay(d time.Duration) PublishOption {
	return func(o *publishOptions) { o.delay = &d }
}

// WithDeliverAt delivers the message at a time in the future, at most [MaxDelay] from now.
func WithDeliverAt(t time.Time) PublishOption {
	return func(o *publishOptions) { o.at = &t }
}

// WithIDScope narrows the message's id, which else is one per topic, to a scope
// within the topic: to its source, for a CloudEvent.
func WithIDScope(scope string) PublishOption {
	return func(o *publishOptions) { o.scope = scope }
}

// idKey is what must be unique. Neither topic nor id has a NUL.
func idKey(topic, id, scope string) string {
	if scope == "" {
		return topic + "\x00" + id
	}
	return topic + "\x00" + id + "\x00" + scope
}

// due is when the message is to be delivered; zero: now.
func (o publishOptions) due(now time.Time) (time.Time, error) {
	switch {
	case o.delay != nil && o.at != nil:
		return time.Time{}, fmt.Errorf("%w: a delay and a time, only one is allowed", ErrInvalidDelay)
	case o.delay != nil && (*o.delay < MinDelay || *o.delay > MaxDelay):
		return time.Time{}, fmt.Errorf("%w: %s, %s to %s are allowed", ErrInvalidDelay, *o.delay, MinDelay, MaxDelay)
	case o.delay != nil:
		return now.Add(*o.delay), nil
	case o.at != nil && (!o.at.After(now) || o.at.Sub(now) > MaxDelay):
		return time.Time{}, fmt.Errorf("%w: %s is not in the future, or more than %s away", ErrInvalidDelay, o.at.Format(time.RFC3339), MaxDelay)
	case o.at != nil:
		return *o.at, nil
	}
	return time.Time{}, nil
}
