package fanout

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{processors: 2}
		var last [4]time.Time
		for want := range last {
			if place := turns.join(); place != want {
				t.Errorf("place %d, want %d", place, want)
			}
		}
		<-time.After(time.Second)
		if in := time.Until(turns.book(0, time.Now().Add(-minCycle))); in != 0 {
			t.Errorf("after a quiet spell: in %v, want at once", in)
		}
		for _, c := range []struct {
			what        string
			took, cycle time.Duration
		}{
			{"where writing costs nothing", 0, minCycle},
			{"three times what 4 lanes take", time.Millisecond, 12 * time.Millisecond},
			{"where writing takes long", 3 * time.Millisecond, maxCycle},
			{"where writing takes all processors longer than that", 20 * time.Millisecond, 60 * time.Millisecond},
		} {
			for range 20 * averageOf {
				turns.spent(c.took)
			}
			for place := range last { // all have just had a turn, at once
				last[place] = turns.book(place, time.Now())
				if in := time.Until(last[place]); in < c.cycle/3 || in > 3*c.cycle/2 {
					t.Errorf("%s: the next turn of lane %d is in %v, want about %v", c.what, place, in, c.cycle)
				}
			}
			for range 3 {
				<-time.After(c.cycle)
				for place := range last {
					turn := turns.book(place, last[place])
					if passed := turn.Sub(last[place]).Round(time.Millisecond); passed != c.cycle {
						t.Errorf("%s: lane %d has turns %v apart, want %v", c.what, place, passed, c.cycle)
					}
					last[place] = turn
				}
				for place := range last[1:] {
					apart := last[place+1].Sub(last[place]) % c.cycle
					if apart = (apart + c.cycle) % c.cycle; apart.Round(time.Millisecond) != (c.cycle / 4).Round(time.Millisecond) {
						t.Errorf("%s: lane %d comes %v after the one before, want a quarter of %v", c.what, place+1, apart, c.cycle)
					}
				}
			}
		}
	})
}

func TestLateTurnIsFollowedByOneInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{processors: 2}
		turns.join()
		turns.join()
		place := turns.began.Add(minCycle / 2) // of the second
		<-time.After(10 * minCycle)
		for _, late := range []time.Duration{0, minCycle / 4, minCycle / 2, 3 * minCycle / 4} {
			began := place.Add(10*minCycle + late)
			next := turns.book(1, began)
			if off := next.Sub(place) % minCycle; off != 0 {
				t.Errorf("after one %v late the next is off its place by %v", late, off)
			}
			if passed := next.Sub(began); passed < minCycle/2 || passed >= 3*minCycle/2 {
				t.Errorf("after one %v late the next comes %v after it", late, passed)
			}
		}
	})
}

func TestTurnThatWasInterruptedMakesNobodyWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{processors: 2}
		for range 8 {
			turns.join()
		}
		for range 20 * averageOf {
			turns.spent(200 * time.Microsecond)
		}
		turns.spent(time.Minute)
		if in := time.Until(turns.book(3, time.Now())); in > maxTurn {
			t.Errorf("the next turn is in %v, want at most %v", in, maxTurn)
		}
	})
}
