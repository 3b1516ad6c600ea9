package filter

import (
	"sync"

	"cel.dev/cel-go/common/types"
)

// pass is one event's way through an index, with the memory it needs.
type pass struct {
	found   []*Entry // candidates, some more than once
	matched []*Entry
	seen    bitset
	slots   int
}

var passes = sync.Pool{New: func() any { return new(pass) }}

// Match evaluates each filter in the index that can hold for the event, once. The
// payload is decoded at most once, and only if a filter looks into it. It does not
// hold up [Index.Add] and [Index.Remove] while it evaluates.
func (x *Index) Match(e *Event) *Matches {
	m := &Matches{}
	run, err := start(e)
	if err != nil {
		return m // of no entry anything is known
	}
	defer run.stop()
	p, _ := passes.Get().(*pass)
	defer p.release()
	x.collect(p, m, run)
	for _, entry := range p.found {
		if p.again(entry) {
			continue
		}
		out, err := run.run(entry.rest)
		switch {
		case err != nil:
			m.failed++
		case out == types.True:
			p.matched = append(p.matched, entry)
		case out != types.False:
			m.failed++
		}
	}
	m.set(p.matched, p.slots)
	return m
}

// collect notes the index's state and the filters that can hold in it.
func (x *Index) collect(p *pass, m *Matches, run *machine) {
	if x.looksInto("data") {
		run.event.payload() // now, not under the lock
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	m.asOf, p.slots = x.now, x.slots
	p.found = append(p.found, x.scan...)
	for name, child := range x.root.fields {
		v, _ := run.ResolveName(name)
		p.found = child.collect(v, p.found)
	}
}

func (x *Index) looksInto(variable string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.root.fields[variable] != nil
}

// again reports whether the entry had its turn: one of several hooks may be found by
// more than one.
func (p *pass) again(e *Entry) bool {
	if len(e.hooks) < 2 {
		return false
	}
	if p.slots/64 >= len(p.seen) {
		p.seen = append(p.seen, make(bitset, p.slots/64+1-len(p.seen))...)
	}
	if p.seen.has(e.slot) {
		return true
	}
	p.seen.set(e.slot)
	return false
}

func (p *pass) release() {
	clear(p.found) // a pooled pass must not keep entries alive
	clear(p.matched)
	clear(p.seen)
	p.found, p.matched = p.found[:0], p.matched[:0]
	passes.Put(p)
}
