package msgq

import (
	"fmt"
	"testing"
)

func TestAMessageWakesThoseWhoWaitForItsTopic(t *testing.T) {
	in := newInterests()
	var waiting []*wakeup
	for _, patterns := range [][]string{{"a.*"}, {"a.b", "b.>"}, {">"}, {"c", "c.>"}} {
		waiting = append(waiting, in.join(patterns).wait())
	}
	in.published("a.b", 7)
	for n, want := range []bool{true, true, true, false} {
		if woken(waiting[n]) != want {
			t.Errorf("waiter %d: woken %v", n, !want)
		}
		if want && waiting[n].quiet != 6 {
			t.Errorf("waiter %d: quiet up to %d, want 6", n, waiting[n].quiet)
		}
	}
	in.wakeAll(9)
	if !woken(waiting[3]) || waiting[3].quiet != 9 {
		t.Error("wakeAll did not wake")
	}
}

func woken(w *wakeup) bool {
	select {
	case <-w.woken:
		return true
	default:
		return false
	}
}

func TestInterestIsSharedAndEndsWithItsLastReader(t *testing.T) {
	in := newInterests()
	first := in.join([]string{"a", "b.*", "b.c"})
	second := in.join([]string{"b.*", "a"})
	if first != second || in.byTopic.Count() != 2 {
		t.Errorf("the same patterns are not shared: %d in the index", in.byTopic.Count())
	}
	in.leave(first)
	w := second.wait()
	in.published("b.x", 3)
	if !woken(w) {
		t.Error("the one that stays is not woken")
	}
	in.leave(second)
	if len(in.byKey) != 0 || in.byTopic.Count() != 0 {
		t.Errorf("left behind: %d and %d", len(in.byKey), in.byTopic.Count())
	}
}

func TestInterestCoversWhatItsPatternsMatch(t *testing.T) {
	patterns := []string{"a", "a.b", "a.*", "*", ">", "a.>", "*.b", "a.*.c", "*.*"}
	topics := []string{"a", "b", "a.b", "a.c", "a.b.c", "b.b", "a.b.d", "a.b.c.d"}
	for _, p := range patterns {
		in := newInterests()
		i := in.join([]string{p})
		for _, topic := range topics {
			w := i.wait()
			in.published(topic, 1)
			want := MatchTopic(p, topic)
			if got := i.covers(newEntry(&Message{Topic: topic}).tokens); got != want || woken(w) != want {
				t.Errorf("%s over %s: covers %v, wakes %v, want %v", p, topic, got, woken(w), want)
			}
		}
	}
}

func TestChunksAreAligned(t *testing.T) {
	for seq, want := range map[uint64]string{0: "[0 0 0 0]", 511: "[0 448 504 511]", 512: "[512 512 512 512]", 700: "[512 640 696 700]"} {
		var starts []uint64
		for size := uint64(chunkMessages); size >= 1; size /= smaller {
			starts = append(starts, seq/size*size)
		}
		if got := fmt.Sprint(starts); got != want {
			t.Errorf("windows for %d start at %s, want %s", seq, got, want)
		}
	}
}
