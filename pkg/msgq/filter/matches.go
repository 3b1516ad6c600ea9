package filter

import "slices"

// Matches says which of an index's filters hold for one event. It stays true while
// filters come and go, is safe for concurrent use and does not keep the event alive.
// Where something matched it takes one bit for each filter in the index and a pointer
// for each that matches.
type Matches struct {
	asOf    uint64 // the index's count of changes
	bits    bitset // by slot as it was then
	matched []*Entry
	failed  int
}

// Has reports whether the entry's filter holds. It is not known of an entry that was
// not in the index when the event was matched: ask its own [Filter.Match]. It
// takes a few nanoseconds and does not allocate.
func (m *Matches) Has(e *Entry) (matched, known bool) {
	if e.born > m.asOf {
		return false, false
	}
	if died := e.died.Load(); died != 0 && died <= m.asOf {
		return false, false
	}
	return m.bits.has(e.slot), true // between birth and death the slot is this entry's
}

// Current reports whether m knows of every filter that is in the index now.
func (x *Index) Current(m *Matches) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return m.asOf == x.now
}

// Entries are those that match, in no order, for a fan-out. The slice is not to be
// changed.
func (m *Matches) Entries() []*Entry { return m.matched }

// Failed is how many filters could not be evaluated, for a counter: those where
// [Filter.Check] has an error, less those that the index ruled out before.
func (m *Matches) Failed() int { return m.failed }

func (m *Matches) set(matched []*Entry, slots int) {
	if len(matched) == 0 {
		return
	}
	m.matched, m.bits = slices.Clone(matched), make(bitset, slots/64+1)
	for _, e := range matched {
		m.bits.set(e.slot)
	}
}

// bitset is nil where it is empty.
type bitset []uint64

func (b bitset) has(i int) bool { return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) set(i int) { b[i/64] |= 1 << (i % 64) }
