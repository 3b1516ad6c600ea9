package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Duration is a Go duration string such as "500ms".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 500ms or 30s", text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText writes a duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Backoff is the wait before the second attempt, or a list of all waits.
type Backoff msgq.Backoff

// UnmarshalJSON reads a duration or a list of them.
func (b *Backoff) UnmarshalJSON(raw []byte) error {
	var base *Duration
	if json.Unmarshal(raw, &base) == nil {
		if base == nil { // null: left out
			return nil
		}
		*b = Backoff{Base: time.Duration(*base)}
		if *base == 0 { // none at all; a Base of zero is the default
			*b = Backoff{List: []time.Duration{0}}
		}
		return nil
	}
	var list []Duration
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return errors.New("neither a duration such as 1s nor a list of durations")
	}
	*b = Backoff{}
	for _, d := range list {
		b.List = append(b.List, time.Duration(d))
	}
	return nil
}

// MarshalJSON writes it as UnmarshalJSON reads it.
func (b Backoff) MarshalJSON() ([]byte, error) {
	if len(b.List) == 0 {
		return json.Marshal(Duration(b.Base))
	}
	list := make([]Duration, len(b.List))
	for i, d := range b.List {
		list[i] = Duration(d)
	}
	return json.Marshal(list)
}

// IsZero reports whether it was left out.
func (b Backoff) IsZero() bool { return b.Base == 0 && b.Max == 0 && len(b.List) == 0 }

// QueueSettings are a queue's settings; what is left out has the default or is
// taken from the queue joined.
type QueueSettings struct {
	Topics      []string        `json:"topics,omitempty"`
	Filter      string          `json:"filter,omitempty"`
	MaxAttempts *int            `json:"max_attempts,omitempty"`
	AckWait     *Duration       `json:"ack_wait,omitempty"`
	Backoff     Backoff         `json:"backoff,omitzero"`
	From        json.RawMessage `json:"from,omitempty"`
	Push        *Push           `json:"push,omitempty"`
}

// Queue converts the settings.
func (s QueueSettings) Queue(name string) (msgq.Queue, error) {
	from, err := ParseFrom(s.From)
	q := msgq.Queue{Name: name, Topics: s.Topics, Filter: s.Filter, Backoff: msgq.Backoff(s.Backoff), From: from}
	if s.MaxAttempts != nil {
		if q.MaxAttempts = *s.MaxAttempts; q.MaxAttempts == 0 { // the library's default
			return q, fmt.Errorf("%w: max_attempts 0, at least 1 is needed", msgq.ErrInvalidQueue)
		}
	}
	if s.AckWait != nil {
		if q.AckWait = time.Duration(*s.AckWait); q.AckWait == 0 { // the same
			return q, fmt.Errorf("%w: ack_wait 0s, at least 100ms is needed", msgq.ErrInvalidQueue)
		}
	}
	if s.Push != nil {
		push, err := s.Push.push()
		if err != nil {
			return q, err
		}
		q.Push = push
	}
	return q, err
}

// NewQueueSettings is the inverse of Queue.
func NewQueueSettings(q msgq.Queue) QueueSettings {
	ackWait := Duration(q.AckWait)
	s := QueueSettings{Topics: q.Topics, Filter: q.Filter, MaxAttempts: &q.MaxAttempts, AckWait: &ackWait, Backoff: Backoff(q.Backoff)}
	if q.Push != nil {
		s.Push = newPush(q.Push)
	}
	return s
}
