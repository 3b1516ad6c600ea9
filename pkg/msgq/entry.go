package msgq

import (
	"strings"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// entry is one message as all live subscriptions of the process share it.
type entry struct {
	*Message
	tokens  []string // of the topic
	verdict *verdict // of the filters
	event   *filter.Event
	bytes   int64 // about what it takes of memory
}

func newEntry(m *Message) *entry {
	return &entry{Message: m, tokens: strings.Split(m.Topic, "."), verdict: new(verdict), event: newEvent(m), bytes: m.bytes()}
}

func (m *Message) bytes() int64 {
	n := len(m.Data) + len(m.Topic) + len(m.ID) + len(m.DataContentType) + entryOverhead
	for name, value := range m.Headers {
		n += len(name) + len(value) + headerOverhead
	}
	return int64(n)
}

// newEvent is what filters see of a message. It keeps the decoded payload.
func newEvent(m *Message) *filter.Event {
	return &filter.Event{
		Topic: m.Topic, ID: m.ID, Seq: m.Seq, Time: m.Time, Headers: m.Headers, DataContentType: m.DataContentType, Data: m.Data,
	}
}

// entryOverhead is about what an entry costs beside its data and topic.
const entryOverhead = 512

// headerOverhead is about what a place in a map costs beside its texts.
const headerOverhead = 64

func (e *entry) size() int64 { return e.bytes }

// expired reports whether its time to live is over: memory may hold what the
// stream has forgotten.
func (e *entry) expired(now time.Time) bool {
	return !e.expires.IsZero() && e.expires.Before(now)
}
