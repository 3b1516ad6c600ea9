package fanout

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// withLanes runs a test in virtual time, with a hub that begins with two of so many lanes.
func withLanes(t *testing.T, lanes int, test func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		h := New(Options{Source: s, Buffer: 20, Lanes: lanes})
		h.few, h.width = 10, 2
		defer h.Close()
		test(&bed{t: t, stream: s, hub: h})
	})
}

// crowd subscribes so many clients, which take their time for each frame.
func (b *bed) crowd(n int, takes time.Duration) (clients []*sink) {
	for range n {
		k := b.subscribe(topics("a"))
		k.takes = takes
		clients = append(clients, k)
	}
	return clients
}

func (b *bed) publishEvery(d time.Duration, n int) {
	for range n {
		b.stream.publish("a")
		<-time.After(d)
	}
	b.rest()
}

func TestMoreLanesAreUsedOnlyWhereTurnsTakeLong(t *testing.T) {
	for _, c := range []struct {
		name    string
		clients int
		takes   time.Duration
		each    int // subscriptions of each lane that is used
	}{
		{"short turns", 160, longTurn / 100, 80},
		{"long turns", 160, longTurn / 10, 20},
		{"very long turns", 160, longTurn, 20},
		{"one slow client", 1, 2 * longTurn, 1},
		{"few slow clients", 12, longTurn, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			withLanes(t, 8, func(b *bed) {
				b.hub.few = min(10, c.each) // two lanes from the start
				clients := b.crowd(c.clients, c.takes)
				b.hub.few = 10
				b.publishEvery(5*time.Millisecond, 600)
				<-time.After(20 * time.Second)
				synctest.Wait()
				total := 0
				for i, l := range b.hub.lanes {
					if l.subs != 0 && l.subs != c.each {
						t.Errorf("%d subscriptions are in lane %d, want %d", l.subs, i, c.each)
					}
					total += l.subs
				}
				if total != c.clients {
					t.Errorf("%d subscriptions are in lanes, want %d", total, c.clients)
				}
				for _, k := range clients {
					b.want("each", k, sequence(1, 600))
					k.sub.Stop()
				}
			})
		})
	}
}

func TestClientThatLagsKeepsItsOverflowWhereLanesAreSplit(t *testing.T) {
	for _, c := range []struct {
		name     string
		overflow Overflow
		want     string
		closed   int
	}{
		{"skip", Skip, "1 skipped:2-52 ", 0},
		{"close", Close, "1 ", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			withLanes(t, 3, func(b *bed) {
				level := b.crowd(20, 0)
				var slow []*sink
				for range 4 {
					k := b.subscribe(Request{Live: msgq.Live{Topics: []string{"a"}}, Overflow: c.overflow})
					k.stall()
					slow = append(slow, k)
				}
				b.publish("a")
				b.publish("a") // they lag by a frame
				b.hub.widen(b.hub.lanes[0])
				for range 50 {
					b.publish("a")
				}
				if b.hub.lanes[2].subs == 0 {
					t.Error("nobody was moved")
				}
				for _, k := range slow {
					k.resume()
				}
				b.rest()
				for _, k := range slow {
					b.want("slow", k, c.want)
					if k.overflow != c.closed {
						t.Errorf("told %d times to close, want %d", k.overflow, c.closed)
					}
					k.sub.Stop()
				}
				for _, k := range level {
					b.want("level", k, sequence(1, 52))
					k.sub.Stop()
				}
			})
		})
	}
}

func TestMovedClientIsToldPositionsAsOftenAsOthers(t *testing.T) {
	withLanes(t, 3, func(b *bed) {
		clients := b.crowd(20, 0)
		for range 14 {
			b.publish("b")
			<-time.After(time.Second - 4*maxCycle)
		}
		b.hub.widen(b.hub.lanes[0])
		for range 4 {
			b.publish("b")
			<-time.After(time.Second - 4*maxCycle)
		}
		synctest.Wait()
		if b.hub.lanes[2].subs == 0 {
			t.Error("nobody was moved")
		}
		for i, k := range clients {
			if k.count() != 1 {
				t.Errorf("client %d got %q within 18 s, want one position", i, k.got())
			}
			k.sub.Stop()
		}
	})
}

func TestLanesOfAnotherStreamAreSplitInIt(t *testing.T) {
	withLanes(t, 3, func(b *bed) {
		clients := b.crowd(20, 0)
		b.publish("a")
		b.stream.replace("f", 2)
		b.rest()
		b.hub.widen(b.hub.lanes[0])
		b.publish("a")
		b.publish("a")
		for _, k := range clients {
			b.want("each", k, "1 reset:f:0 1 2 3 4 ")
			k.sub.Stop()
		}
	})
}

func TestSubscriptionThatHasEndedIsNotMoved(t *testing.T) {
	withLanes(t, 3, func(b *bed) {
		k := b.subscribe(topics("a"))
		k.sub.Stop()
		k.sub.move(b.hub.lanes[2], msgq.Position{Epoch: "e"})
		for i, l := range b.hub.lanes {
			if l.subs != 0 {
				t.Errorf("%d subscriptions are in lane %d", l.subs, i)
			}
		}
	})
}
