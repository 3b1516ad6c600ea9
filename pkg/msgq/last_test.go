package msgq_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// lastSeq is where a subscription to the last n of the patterns goes on.
func lastSeq(t *testing.T, c *msgq.Client, n int, patterns ...string) uint64 {
	t.Helper()
	sub, err := c.Live(t.Context(), msgq.Live{Topics: patterns, From: msgq.FromLast(n)})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	return sub.Position().Seq
}

func TestTheLastAreThoseOfAllPatternsTogether(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	if got := lastSeq(t, c, 3, "a", "b"); got != 0 {
		t.Errorf("of an empty stream: behind %d", got)
	}
	b := newRawStream(t, s.URL)
	topics := []string{"a", "a.b", "a.c", "a.b.c", "d.b", "d.b.c", "e", "f.g.b"}
	stored := make([]string, 900)
	for i := range stored {
		stored[i] = topics[min(rand.IntN(len(topics)), rand.IntN(len(topics)+40))] // the later ones are rare
	}
	for piece := range slices.Chunk(stored, 450) {
		b.store(t, piece)
	}
	for range 40 { // holes, also at both ends
		seq := uint64(1 + rand.IntN(len(stored)))
		b.delete(t, seq, seq)
		stored[seq-1] = "gone.for.good"
	}
	b.delete(t, 900, 900)
	stored[899] = "gone.for.good"
	for _, patterns := range [][]string{
		{"a"}, {"f.>"}, {"none"}, {"a", "e"}, {"a.*", "*.b"}, {"a.>", "*.b.>", "*.*.b"}, {"a.b", "a.*", "a.>"}, {"none", "nil.>"}, {"*.b", "none"},
		{"a.*", "*.b", "*.*.c", "d.>", "e"}, {">", "a"},
	} {
		var seqs []uint64
		for i, topic := range stored {
			if topic != "gone.for.good" && slices.ContainsFunc(patterns, func(p string) bool { return msgq.MatchTopic(p, topic) }) {
				seqs = append(seqs, uint64(i+1))
			}
		}
		for _, n := range []int{1, 2, 5, 50, 300, len(seqs), len(seqs) + 1, msgq.MaxLast} {
			want := uint64(len(stored)) // none: what comes next is the first one
			if n = max(n, 1); len(seqs) > 0 {
				want = seqs[max(0, len(seqs)-n)] - 1
			}
			if got := lastSeq(t, c, n, patterns...); got != want {
				t.Errorf("the last %d of %v: behind %d, want %d", n, patterns, got, want)
			}
		}
	}
}

func TestTheLastOfRareTopicsAreFoundWithoutReading(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes = 1 << 20 })
	rare := []uint64{publish(t, c, msgq.Message{Topic: "rare.a"}).Seq, publish(t, c, msgq.Message{Topic: "rare.b"}).Seq}
	b := newRawStream(t, s.URL)
	for range 5 {
		b.must(t, "bulk", "x", 900, 1)
	}
	for _, patterns := range [][]string{{"rare.a", "rare.b"}, {"rare.*", "none"}, {"rare.*"}} {
		if got := lastSeq(t, c, 5, patterns...); got != rare[0]-1 {
			t.Errorf("%v: behind %d, want %d", patterns, got, rare[0]-1)
		}
	}
	if got := lastSeq(t, c, 5, "none.a", "none.b"); got != rare[1]+4500 {
		t.Errorf("of none: behind %d, want the end, %d", got, rare[1]+4500)
	}
	if n := c.CatchUpReads(); n > 0 {
		t.Errorf("the stream was read %d times", n)
	}
	if n := b.stream(t).CachedInfo().State.Consumers; n > 1 { // the tail's
		t.Errorf("%d consumers are left", n)
	}
}
