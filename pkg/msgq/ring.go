package msgq

import "sort"

// ring holds the newest messages: all that the stream has with base < seq <= head.
// The owner locks.
type ring struct {
	base, head uint64
	entries    []*entry // what was given out is never changed: append and cut only
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
	for over := r.bytes - r.max; over > 0 && drop < len(r.entries)-1; drop++ {
		over -= r.entries[drop].size()
	}
	r.drop(drop)
}

// pass takes note of a sequence that is of no interest to readers.
func (r *ring) pass(seq uint64) { r.head = seq }

// forget drops what the stream holds no more: all before first.
func (r *ring) forget(first uint64) {
	if first <= r.base+1 {
		return
	}
	if first > r.head {
		r.reset(first - 1)
		return
	}
	r.drop(r.index(first - 1))
	r.base = first - 1
}

// drop cuts off the oldest. They stay in memory until append moves the rest to
// a new array, so that at worst the ring takes twice its size.
func (r *ring) drop(n int) {
	for _, e := range r.entries[:n] {
		r.bytes -= e.size()
		r.base = e.Seq
	}
	r.entries = r.entries[n:]
}

// holds reports whether everything after seq is here.
func (r *ring) holds(seq uint64) bool { return seq >= r.base }

// after returns up to limit entries behind seq, in order.
func (r *ring) after(seq uint64, limit int) []*entry {
	i := r.index(seq)
	end := min(i+limit, len(r.entries))
	return r.entries[i:end:end]
}

// index of the first entry behind seq. Most readers are near the head, so only
// as many of the newest are searched as there are sequences behind seq.
func (r *ring) index(seq uint64) int {
	if seq >= r.head {
		return len(r.entries)
	}
	from := max(0, len(r.entries)-int(min(r.head-seq, uint64(len(r.entries)))))
	return from + sort.Search(len(r.entries)-from, func(i int) bool { return r.entries[from+i].Seq > seq })
}
