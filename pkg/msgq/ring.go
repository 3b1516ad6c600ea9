package msgq

import (
	"sort"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// entry is one message as all live subscriptions of the process share it: the
// event remembers the decoded payload, so it is decoded at most once.
type entry struct {
	*Message
	event *filter.Event
}

func newEntry(m *Message) *entry {
	return &entry{Message: m, event: &filter.Event{
		Topic: m.Topic, ID: m.ID, Seq: m.Seq, Time: m.Time, Headers: m.Headers, DataContentType: m.DataContentType, Data: m.Data,
	}}
}

// entryOverhead is about what an entry costs beside its data and topic.
const entryOverhead = 512

func (e *entry) size() int64 { return int64(len(e.Data)+len(e.Topic)) + entryOverhead }

// ring holds the newest messages: all of the stream's with base < seq <= head.
// The owner locks.
type ring struct {
	base, head uint64
	entries    []*entry
	bytes, max int64
}

func (r *ring) reset(head uint64) {
	*r = ring{base: head, head: head, max: r.max}
}

func (r *ring) add(e *entry) {
	r.entries = append(r.entries, e)
	r.bytes += e.size()
	r.head = e.Seq
	drop := 0
	for r.bytes > r.max && drop < len(r.entries)-1 {
		r.bytes -= r.entries[drop].size()
		r.base = r.entries[drop].Seq
		r.entries[drop] = nil
		drop++
	}
	r.entries = r.entries[drop:]
}

// holds reports whether everything after seq is here.
func (r *ring) holds(seq uint64) bool { return seq >= r.base }

// after returns up to limit entries behind seq, in order.
func (r *ring) after(seq uint64, limit int) []*entry {
	i := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq > seq })
	found := r.entries[i:]
	found = found[:min(limit, len(found))]
	return append([]*entry(nil), found...)
}
