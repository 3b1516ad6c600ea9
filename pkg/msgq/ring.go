package msgq

import "sort"

// ring holds the newest messages: all that the stream has with base < seq <= head.
// The owner locks.
type ring struct {
	base, head uint64
	blocks     []*block // oldest first
	bytes, max int64
}

// block is a run of entries. What lies in it is never changed, only added to, so
// that readers can be given a part of it; memory is freed block by block.
type block struct {
	entries []*entry
	bytes   int64
}

// A block ends with as many entries as a reader takes at once, or with so large a
// part of the ring: no more than that is kept beyond the ring's size.
const (
	blockEntries = batchMessages
	blockPart    = 64
)

func (r *ring) reset(head uint64) {
	*r = ring{base: head, head: head, max: r.max}
}

func (r *ring) add(e *entry) {
	last := r.last()
	if last == nil || len(last.entries) == blockEntries || last.bytes >= r.max/blockPart {
		last = &block{}
		r.blocks = append(r.blocks, last)
	}
	last.entries = append(last.entries, e)
	last.bytes += e.size()
	r.bytes += e.size()
	r.head = e.Seq
	for r.bytes > r.max && len(r.blocks) > 1 {
		r.dropOldest()
	}
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
	for len(r.blocks) > 0 && r.blocks[0].last() < first {
		r.dropOldest()
	}
	r.base = first - 1 // what is left before it is given to nobody
}

func (r *ring) dropOldest() {
	oldest := r.blocks[0]
	r.blocks[0] = nil // frees it: what is cut off stays in the array
	r.blocks = r.blocks[1:]
	r.bytes -= oldest.bytes
	r.base = oldest.last()
}

// holds reports whether everything after seq is here.
func (r *ring) holds(seq uint64) bool { return seq >= r.base }

// after returns entries behind seq, in order, and the sequence up to which they are
// all there is: the ring's head, or the end of a block.
func (r *ring) after(seq uint64) (entries []*entry, through uint64) {
	newest := r.last()
	if newest == nil || newest.last() <= seq {
		return nil, r.head
	}
	i := len(r.blocks) - 1
	if i > 0 && r.blocks[i-1].last() > seq { // most readers are nearer to the head
		i = sort.Search(i, func(i int) bool { return r.blocks[i].last() > seq })
	}
	b := r.blocks[i]
	from := sort.Search(len(b.entries), func(i int) bool { return b.entries[i].Seq > seq })
	end := len(b.entries)
	through = b.last()
	if b == newest {
		through = r.head
	}
	return b.entries[from:end:end], through
}

func (r *ring) last() *block {
	if len(r.blocks) == 0 {
		return nil
	}
	return r.blocks[len(r.blocks)-1]
}

// last is the sequence of the block's newest entry; no block is empty.
func (b *block) last() uint64 { return b.entries[len(b.entries)-1].Seq }
