package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrTooMany comes from [Index.Add] when an index is full.
var ErrTooMany = errors.New("too many distinct filters")

// Index holds many filters and evaluates them together. Filters of the same text are
// one. A filter that cannot hold without an equality, like
//
//	data.action == "opened" && data.n > 3
//	headers["region"] in ["eu", "us"] || topic == "audit"
//
// is evaluated only for messages in which that is so, all others for each message.
// What comes out is exactly what [Filter.Match] says. It is safe for concurrent use.
type Index struct {
	max int

	mu     sync.RWMutex
	byText map[string]*Entry
	root   node     // entries by hook
	scan   []*Entry // those without
	slots  int      // ever taken, at most max
	free   []int    // slots that entries left
	now    uint64   // counts entries that come and go
}

// Entry is one distinct filter in an index, shared by all who added its text.
type Entry struct {
	text  string
	ready func() error // compiles and joins the index, once

	// Under the index's lock:
	users   int
	joined  bool
	scanned int // its place in scan
	hooks   []hook

	// Set before Add returns:
	filter *Filter
	rest   program // asks what is still open once a hook was found
	slot   int
	born   uint64

	died atomic.Uint64 // 0 while it is there
}

// NewIndex makes an index for at most so many distinct filters.
func NewIndex(most int) *Index {
	return &Index{max: most, byText: make(map[string]*Entry)}
}

// Filter is the compiled filter, for a message that [Matches.Has] knows nothing of.
func (e *Entry) Filter() *Filter { return e.filter }

// Add puts a filter in and counts its users: each Add wants a [Index.Remove]. A text
// that is there is not compiled again, not even while it is being compiled. Errors:
// an [*Error], [ErrTooMany].
func (x *Index) Add(text string) (*Entry, error) {
	e, err := x.claim(text)
	if err != nil {
		return nil, err
	}
	if err := e.ready(); err != nil {
		x.Remove(e)
		return nil, err
	}
	return e, nil
}

// Remove takes back one Add of the entry; the last one takes the filter out. Of one
// that is out already it does nothing.
func (x *Index) Remove(e *Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.users == 0 {
		return
	}
	e.users--
	if e.users > 0 {
		return
	}
	delete(x.byText, e.text)
	if e.joined {
		x.leave(e)
	}
}

// Len is how many distinct filters there are.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.byText)
}

// claim counts a user. The filter is compiled later, outside the lock.
func (x *Index) claim(text string) (*Entry, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.byText[text]; e != nil {
		e.users++
		return e, nil
	}
	if len(x.byText) >= x.max {
		return nil, ErrTooMany
	}
	e := &Entry{text: text, users: 1}
	e.ready = sync.OnceValue(func() error { return x.compile(e) })
	x.byText[text] = e
	return e, nil
}

func (x *Index) compile(e *Entry) error {
	f, ast, err := compile(e.text)
	if err != nil {
		return err
	}
	w := x.leastCrowded(ways(ast.NativeRep().Expr()))
	rest, err := f.program.without(w.sure, ast.NativeRep())
	if err != nil {
		return fmt.Errorf("filter %q without its hook: %w", e.text, err) // a fault of this package
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e.filter, e.rest, e.hooks = f, rest, w.hooks
	x.join(e)
	return nil
}

// leastCrowded is the way whose hooks fewest others have: of ten thousand filters that
// begin with topic == "a" each is then found by what else it asks for.
func (x *Index) leastCrowded(all []way) (best way) {
	if len(all) == 0 {
		return best
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.MinFunc(all, func(a, b way) int { return cmp.Compare(x.root.crowd(a.hooks), x.root.crowd(b.hooks)) })
}

// join is for the holder of the lock.
func (x *Index) join(e *Entry) {
	e.joined = true
	if n := len(x.free); n > 0 {
		e.slot, x.free = x.free[n-1], x.free[:n-1]
	} else {
		e.slot = x.slots
		x.slots++
	}
	x.now++
	e.born = x.now
	if len(e.hooks) == 0 {
		e.scanned = len(x.scan)
		x.scan = append(x.scan, e)
		return
	}
	for _, h := range e.hooks {
		x.root.add(h.path, h.value, e)
	}
}

func (x *Index) leave(e *Entry) {
	x.now++
	e.died.Store(x.now)
	x.free = append(x.free, e.slot)
	for _, h := range e.hooks {
		x.root.remove(h.path, h.value, e)
	}
	if e.hooks == nil {
		last := x.scan[len(x.scan)-1]
		last.scanned, x.scan[e.scanned] = e.scanned, last
		x.scan[len(x.scan)-1] = nil
		x.scan = x.scan[:len(x.scan)-1]
	}
}
