package fanout

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{processors: 2}
		for range 4 {
			turns.join()
		}
		in := func(last time.Time) time.Duration { return time.Until(turns.book(last)) }
		<-time.After(time.Second)
		if got := in(time.Now().Add(-minGather)); got != 0 {
			t.Errorf("after a quiet spell: in %v, want at once", got)
		}
		if got := in(time.Now()); got != minGather {
			t.Errorf("where writing costs nothing: in %v, want %v", got, minGather)
		}
		spend := func(took time.Duration) {
			for range 20 * averageOf {
				turns.spent(took)
			}
			<-time.After(time.Second)
		}
		spend(time.Millisecond)
		for i, want := range []float64{8, 10, 12, 14} { // twice what 4 lanes take, spread over that
			if got := in(time.Now()).Seconds() * 1000; got < want-0.1 || got > want+0.1 {
				t.Errorf("turn %d: in %.2f ms, want %.1f", i, got, want)
			}
		}
		spend(3 * time.Millisecond)
		if got := in(time.Now()); got != maxGather {
			t.Errorf("where writing takes long: in %v, want %v", got, maxGather)
		}
		spend(20 * time.Millisecond)
		if got := in(time.Now()).Round(time.Millisecond); got != 40*time.Millisecond {
			t.Errorf("where writing takes all processors longer than that: in %v, want 40ms", got)
		}
	})
}
