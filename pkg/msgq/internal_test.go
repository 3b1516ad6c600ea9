package msgq

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestTooLargeIsSaidInOurWords(t *testing.T) {
	err := brokerError("publish", nats.ErrMaxPayload) // its text is shown to clients
	if !errors.Is(err, ErrTooLarge) || strings.Contains(err.Error(), "nats") {
		t.Errorf("error %v", err)
	}
}

func TestMinimalPatternsLeaveOutWhatOthersCover(t *testing.T) {
	for _, test := range []struct{ patterns, want []string }{
		{[]string{"a"}, []string{"a"}},
		{[]string{"b", "a", "b"}, []string{"a", "b"}},
		{[]string{"a.b", "a.*"}, []string{"a.*"}},
		{[]string{"a.>", "a.*", "a.b.c", "b"}, []string{"a.>", "b"}},
		{[]string{"x.y", ">", "*"}, []string{">"}},
		{[]string{"*.b", "a.*"}, []string{"*.b", "a.*"}}, // both cover a.b, neither the other
		{[]string{"a", "a.>"}, []string{"a", "a.>"}},
		{[]string{"*.>", "*.*", "*"}, []string{"*", "*.>"}},
	} {
		if got := minimalPatterns(test.patterns); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, want %q", test.patterns, got, test.want)
		}
	}
}

func fill(r *ring, seqs ...uint64) {
	for _, seq := range seqs {
		r.add(newEntry(&Message{Seq: seq, Topic: "a", Data: make([]byte, 999-entryOverhead)})) // 1000 bytes in all
	}
}

func seqs(entries []*entry) string {
	var all []uint64
	for _, e := range entries {
		all = append(all, e.Seq)
	}
	return fmt.Sprint(all)
}

func TestRingGivesWhatLiesBehindAPosition(t *testing.T) {
	r := ring{max: 1 << 20}
	r.reset(10)
	if !r.holds(10) || r.holds(9) || len(r.after(10, 5)) != 0 {
		t.Error("an empty ring holds what lies behind its head, and that is nothing")
	}
	fill(&r, 11, 13, 14, 20) // with holes
	for _, test := range []struct {
		seq   uint64
		limit int
		want  string
	}{
		{10, 9, "[11 13 14 20]"}, {11, 9, "[13 14 20]"}, {12, 9, "[13 14 20]"}, {13, 1, "[14]"}, {10, 2, "[11 13]"}, {20, 9, "[]"}, {99, 9, "[]"},
	} {
		if got := seqs(r.after(test.seq, test.limit)); got != test.want {
			t.Errorf("after %d, at most %d: %s, want %s", test.seq, test.limit, got, test.want)
		}
	}
	if r.head != 20 || r.base != 10 {
		t.Errorf("head %d, base %d", r.head, r.base)
	}
}

func TestRingForgetsTheOldestAndKnowsIt(t *testing.T) {
	r := ring{max: 3000}
	fill(&r, 1, 2, 5, 6, 7)
	if got := seqs(r.entries); got != "[5 6 7]" || r.base != 2 || r.bytes != 3000 {
		t.Errorf("holds %s with base %d and %d bytes", got, r.base, r.bytes)
	}
	if r.holds(1) || !r.holds(2) || !r.holds(3) {
		t.Error("it holds everything behind 2, and not everything behind 1")
	}
	r.add(newEntry(&Message{Seq: 8, Topic: "a", Data: make([]byte, 10_000)}))
	if got := seqs(r.entries); got != "[8]" || r.base != 7 {
		t.Errorf("holds %s with base %d, want the newest, however large", got, r.base)
	}
	r.reset(3)
	if r.head != 3 || r.base != 3 || r.bytes != 0 || len(r.entries) != 0 || r.max != 3000 {
		t.Errorf("after a reset: %+v", r)
	}
}

func TestRingDoesNotShareWhatItGave(t *testing.T) {
	r := ring{max: 2000}
	fill(&r, 1, 2)
	got := r.after(0, 9)
	fill(&r, 3, 4)
	if seqs(got) != "[1 2]" || got[0] == nil {
		t.Errorf("what was given changed to %v", got)
	}
}
