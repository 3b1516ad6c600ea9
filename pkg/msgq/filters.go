package msgq

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// filters has each distinct filter compiled once, and evaluated once for each
// message, whatever the number of live subscriptions that use it.
type filters struct {
	index  *filter.Index
	failed atomic.Uint64 // evaluations

	mu   sync.Mutex
	kept [keptVerdicts]*verdict // the newest ones
	next int
}

// keptVerdicts bounds the memory for results: all readers that keep up ask for
// the newest, and for those further back the filters are evaluated again.
const keptVerdicts = 4096

// verdict is what the filters said of one message.
type verdict struct {
	mu      sync.Mutex // held while the filters are evaluated
	matches atomic.Pointer[filter.Matches]
}

func newFilters(most int) *filters { return &filters{index: filter.NewIndex(most)} }

// add takes a filter into use until it is removed; it is nil for no filter.
func (f *filters) add(text string) (*filter.Entry, error) {
	if text == "" {
		return nil, nil
	}
	e, err := f.index.Add(text)
	if errors.Is(err, filter.ErrTooMany) {
		return nil, ErrTooManyFilters
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidFilter, err)
	}
	return e, nil
}

func (f *filters) remove(e *filter.Entry) {
	if e != nil {
		f.index.Remove(e)
	}
}

// hold reports whether the filter holds for the message. The first one to ask
// has all filters evaluated, and so does one whose filter came later.
func (f *filters) hold(want *filter.Entry, e *entry) bool {
	if matched, known := e.verdict.of(want); known {
		return matched
	}
	e.verdict.mu.Lock()
	defer e.verdict.mu.Unlock()
	if matched, known := e.verdict.of(want); known { // another reader was faster
		return matched
	}
	if matched, known := f.evaluate(e).Has(want); known {
		return matched
	}
	return f.check(want.Filter(), newEvent(e.Message)) // the index could not be evaluated
}

// evaluate is for the holder of the verdict's lock.
func (f *filters) evaluate(e *entry) *filter.Matches {
	event := e.event
	if event == nil {
		event = newEvent(e.Message)
	}
	e.event = nil // it holds the decoded payload, which may be forty times larger
	m := f.index.Match(event)
	f.failed.Add(uint64(m.Failed()))
	e.verdict.matches.Store(m)
	f.keep(e.verdict)
	return m
}

// check evaluates a filter that is used by itself.
func (f *filters) check(one *filter.Filter, event *filter.Event) bool {
	holds, err := one.Check(event)
	if err != nil {
		f.failed.Add(1)
	}
	return holds
}

// FilterFailures counts how often a filter of a live subscription or a queue
// could not be evaluated for a message, which then did not match: a missing
// field, a wrong type, too much work. Those of live subscriptions are evaluated together, for messages of
// topics that only others have, too, and again for readers that come later.
func (c *Client) FilterFailures() uint64 { return c.tail.filters.failed.Load() }

func (v *verdict) of(want *filter.Entry) (matched, known bool) {
	m := v.matches.Load()
	if m == nil {
		return false, false
	}
	return m.Has(want)
}

// keep makes room for a new verdict.
func (f *filters) keep(v *verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.kept[f.next]; old != nil && old != v {
		old.matches.Store(nil)
	}
	f.kept[f.next] = v
	f.next = (f.next + 1) % keptVerdicts
}

// compileFilter compiles a filter that is used by itself; it is nil for no filter.
func compileFilter(text string) (*filter.Filter, error) {
	if text == "" {
		return nil, nil
	}
	f, err := filter.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidFilter, err)
	}
	return f, nil
}
