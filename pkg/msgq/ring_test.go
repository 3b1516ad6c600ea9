package msgq

import (
	"fmt"
	"slices"
	"testing"
)

// fill adds messages of 1000 bytes each.
func fill(r *ring, seqs ...uint64) {
	for _, seq := range seqs {
		r.add(newEntry(&Message{Seq: seq, Topic: "a", Data: make([]byte, 999-entryOverhead)}))
	}
}

// behind reads as a reader does.
func behind(r *ring, seq uint64) string {
	var seqs []uint64
	for {
		entries, through := r.after(seq)
		for _, e := range entries {
			seqs = append(seqs, e.Seq)
		}
		if len(entries) == 0 {
			return fmt.Sprint(seqs)
		}
		seq = through
	}
}

func TestRingGivesWhatLiesBehindAPosition(t *testing.T) {
	for name, size := range map[string]int64{"one block": 1 << 20, "blocks of one": 5000} {
		t.Run(name, func(t *testing.T) {
			r := ring{max: size}
			r.reset(10)
			if !r.holds(10) || r.holds(9) || behind(&r, 10) != "[]" {
				t.Error("an empty ring holds what lies behind its head, and that is nothing")
			}
			fill(&r, 11, 13, 14, 20) // with holes
			for seq, want := range map[uint64]string{10: "[11 13 14 20]", 11: "[13 14 20]", 12: "[13 14 20]", 19: "[20]", 20: "[]", 99: "[]"} {
				if got := behind(&r, seq); got != want {
					t.Errorf("after %d: %s, want %s", seq, got, want)
				}
			}
			r.pass(30)
			if _, through := r.after(14); through != 30 || r.head != 30 || r.base != 10 {
				t.Errorf("through %d, head %d, base %d", through, r.head, r.base)
			}
		})
	}
}

func TestRingForgetsTheOldestAndKnowsIt(t *testing.T) {
	r := ring{max: 3000}
	fill(&r, 1, 2, 5, 6, 7)
	if got := behind(&r, 2); got != "[5 6 7]" || r.base != 2 || r.bytes != 3000 {
		t.Errorf("holds %s with base %d and %d bytes", got, r.base, r.bytes)
	}
	if r.holds(1) || !r.holds(2) || !r.holds(3) {
		t.Error("it holds everything behind 2, and not everything behind 1")
	}
	r.add(newEntry(&Message{Seq: 8, Topic: "a", Data: make([]byte, 10_000)}))
	if got := behind(&r, 7); got != "[8]" || r.base != 7 || len(r.blocks) != 1 {
		t.Errorf("holds %s with base %d, want the newest, however large", got, r.base)
	}
	r.reset(3)
	if r.head != 3 || r.base != 3 || r.bytes != 0 || len(r.blocks) != 0 || r.max != 3000 {
		t.Errorf("after a reset: %+v", r)
	}
}

func TestRingStaysWithinItsSize(t *testing.T) {
	r := ring{max: 1 << 20}
	for seq := range uint64(20_000) {
		fill(&r, seq+1)
		kept := 0
		for _, b := range r.blocks {
			kept += cap(b.entries) // also what readers no longer see
		}
		if r.bytes > r.max || seq > 2000 && (r.bytes < r.max*15/16 || kept > 2*len(r.blocks)*len(r.blocks[0].entries)) {
			t.Fatalf("at %d: %d bytes, room for %d entries in %d blocks", seq+1, r.bytes, kept, len(r.blocks))
		}
	}
}

func TestRingNeverChangesWhatItGave(t *testing.T) {
	for _, size := range []int64{2000, 1 << 20} {
		r := ring{max: size}
		fill(&r, 1, 2)
		got, _ := r.after(0)
		if size == 2000 {
			got, _ = r.after(1)
		}
		before := slices.Clone(got)
		for seq := range uint64(5000) {
			fill(&r, seq+3)
		}
		if !slices.Equal(got, before) {
			t.Errorf("what was given changed to %v", got)
		}
	}
}

func TestRingForgetsWhatTheStreamForgot(t *testing.T) {
	for _, size := range []int64{3000, 1 << 20} {
		for _, test := range []struct {
			first      uint64
			want       string
			base, head uint64
		}{
			{1, "[12 13 20]", 10, 20},
			{11, "[12 13 20]", 10, 20},
			{12, "[12 13 20]", 11, 20},
			{13, "[13 20]", 12, 20},
			{15, "[20]", 14, 20},
			{21, "[]", 20, 20},
			{40, "[]", 39, 39}, // it was stored and removed before it came here
		} {
			r := ring{max: size}
			r.reset(10)
			fill(&r, 12, 13, 20)
			r.forget(test.first)
			if got := behind(&r, r.base); got != test.want || r.base != test.base || r.head != test.head {
				t.Errorf("from %d on: %s behind %d up to %d", test.first, got, r.base, r.head)
			}
		}
	}
}
