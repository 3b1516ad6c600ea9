package fanout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// bed is a hub over a stream in memory.
type bed struct {
	t      *testing.T
	stream *stream
	hub    *Hub
}

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, buffer int, test func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		h := New(Options{Source: s, Buffer: buffer, Lanes: 3})
		h.few = 2
		defer h.Close()
		test(&bed{t: t, stream: s, hub: h})
	})
}

// subscribe starts a subscription from a sequence on, or with what is new.
func (b *bed) subscribe(r Request, from ...uint64) *sink {
	b.t.Helper()
	if r.Encoding == nil {
		r.Encoding = plain{"p"}
	}
	k := newSink()
	sub, err := b.hub.Subscribe(b.t.Context(), r, k)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(from) > 0 {
		sub.reader.Resume(msgq.Position{Seq: from[0], Epoch: "e"})
	}
	k.sub = sub
	sub.Start()
	return k
}

// publish publishes and lets all come to rest.
func (b *bed) publish(topics ...string) {
	b.stream.publish(topics...)
	b.rest()
}

func (b *bed) rest() {
	<-time.After(4 * maxCycle)
	synctest.Wait()
}

func (b *bed) want(name string, k *sink, want string) {
	b.t.Helper()
	if got := k.got(); got != want {
		b.t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

func topics(patterns ...string) Request { return Request{Live: msgq.Live{Topics: patterns}} }

func TestEachSubscriptionSeesItsMessagesOnce(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		all, exact := b.subscribe(topics(">", "a.*")), b.subscribe(topics("a.x"))
		odd := b.subscribe(Request{Live: msgq.Live{Topics: []string{"a.*"}, Filter: "data.n in [1, 3]"}})
		again := b.subscribe(Request{Live: msgq.Live{Topics: []string{"a.*"}, Filter: "data.n in [1, 3]"}})
		b.publish("a.x", "b", "a.y", "a.x")
		b.want("all", all, "1 2 3 4 ")
		b.want("exact", exact, "1 4 ")
		b.want("filtered", odd, "1 3 ")
		b.want("filtered alike", again, "1 3 ")
		exact.sub.Stop()
		b.publish("a.x")
		b.want("stopped", exact, "1 4 ")
		b.want("the others", all, "1 2 3 4 5 ")
		for _, k := range []*sink{all, odd, again} {
			k.sub.Stop()
		}
		<-time.After(2 * tickEvery)
		synctest.Wait()
		n := b.stream.filters.Len()
		for _, l := range b.hub.lanes {
			n += l.subs + len(l.groups) + len(l.index.byPattern)
		}
		if n != 0 {
			t.Errorf("%d subscriptions, groups, interests and filters are left of those that stopped", n)
		}
	})
}

func TestFirstMessageGoesAtOnceAndTheNextAreGathered(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		k := b.subscribe(topics("a"))
		b.rest()
		b.stream.publish("a")
		synctest.Wait() // no time passes
		b.want("the first", k, "1 ")
		b.stream.publish("a")
		<-time.After(time.Millisecond)
		b.stream.publish("a")
		synctest.Wait()
		b.want("within the cycle", k, "1 ")
		<-time.After(2 * minCycle)
		synctest.Wait()
		b.want("after it", k, "1 2 3 ")
		if k.count() != 2 {
			t.Errorf("%d frames, want 2", k.count())
		}
		k.sub.Stop()
	})
}

func TestSubscriptionBehindIsLevelWithNeitherGapNorRepeat(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		b.stream.publish(slices.Repeat([]string{"a"}, 20)...)
		first := b.subscribe(topics("a"), 0)
		b.rest()
		b.want("what was there", first, sequence(1, 20))
		ahead := b.subscribe(topics("a"), 23)
		b.publish("a", "a")
		b.publish("a", "a", "a")
		b.want("from the start", first, sequence(1, 25))
		b.want("ahead of the end", ahead, "24 25 ")
		b.publish("a")
		b.want("ahead, later", ahead, "24 25 26 ")
		for _, k := range []*sink{first, ahead} {
			if k.sub.group == nil || k.sub.place == noMember {
				t.Error("a subscription reads by itself although it is where the head is")
			}
			k.sub.Stop()
		}
	})
}

func sequence(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "%d ", i)
	}
	return b.String()
}

func TestSinkThatIsWritingPullsWhatItMissed(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		slow, quick := b.subscribe(topics("a")), b.subscribe(topics("a"))
		slow.stall()
		for range 5 {
			b.publish("a")
		}
		b.want("quick", quick, "1 2 3 4 5 ")
		b.want("stalled", slow, "1 ")
		if got := slow.sub.Position(); got != 1 {
			t.Errorf("position %d, want 1", got)
		}
		g := slow.sub.group
		slow.resume()
		b.rest()
		b.want("not stalled any more", slow, "1 2 3 4 5 ")
		if slow.sub.lags.Load() != nil || len(g.kept) != 0 || g.bytes != 0 {
			t.Errorf("%d frames are kept though nobody lags", len(g.kept))
		}
		b.publish("a")
		b.want("level", slow, "1 2 3 4 5 6 ")
		slow.sub.Stop()
		quick.sub.Stop()
	})
}

func TestClientThatLagsTooFar(t *testing.T) {
	for name, test := range map[string]struct {
		overflow Overflow
		want     string
		closed   int
	}{
		"catches up and loses nothing": {CatchUp, sequence(1, 51), 0},
		"skips and is told":            {Skip, "1 skipped:2-50 51 ", 0},
		"is closed":                    {Close, "1 ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 20, func(b *bed) {
				slow := b.subscribe(Request{Live: msgq.Live{Topics: []string{"a"}}, Overflow: test.overflow})
				quick := b.subscribe(topics("a"))
				slow.stall()
				most := 0
				for range 50 {
					b.publish("a")
					most = max(most, slow.sub.keptBytes())
				}
				if most == 0 || most > 20 {
					t.Errorf("up to %d bytes were kept, want 20 at most", most)
				}
				slow.resume()
				b.rest()
				b.publish("a")
				b.want("slow", slow, test.want)
				b.want("quick", quick, sequence(1, 51))
				if slow.overflow != test.closed {
					t.Errorf("told %d times to close, want %d", slow.overflow, test.closed)
				}
				slow.sub.Stop()
				quick.sub.Stop()
			})
		})
	}
}

func TestOtherStreamIsToldAndReadFromItsStart(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		level, lagging := b.subscribe(topics("a")), b.subscribe(topics("a"))
		lagging.stall()
		b.publish("a")
		b.publish("a")
		b.stream.replace("f", 3)
		b.rest()
		lagging.resume()
		b.rest()
		b.publish("a")
		b.want("level", level, "1 2 reset:f:0 1 2 3 4 ")
		b.want("lagging", lagging, "1 reset:f:0 1 2 3 4 ")
		level.sub.Stop()
		lagging.sub.Stop()
	})
}

func TestPositionIsToldEveryTenSecondsWhereNothingMatched(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		k := b.subscribe(topics("a"))
		for range 35 {
			b.publish("b")
			<-time.After(time.Second - 4*maxCycle)
		}
		synctest.Wait()
		got := strings.Fields(k.got())
		if len(got) != 3 || !strings.HasPrefix(got[0], "position:") {
			t.Errorf("got %q, want a position every 10 s", got)
		}
		b.publish("a")
		<-time.After(time.Minute)
		synctest.Wait()
		if rest := strings.Fields(k.got())[3:]; len(rest) != 1 || rest[0] != "36 " && rest[0] != "36" {
			t.Errorf("got %q, want the message and nothing more", rest)
		}
		k.sub.Stop()
	})
}

func TestSubscriptionThatLooksForATimeIsNotLevelBefore(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		k := newSink()
		sub, err := b.hub.Subscribe(t.Context(), Request{Live: msgq.Live{Topics: []string{"a"}}, Encoding: plain{"p"}}, k)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := sub.reader.(*reader)
		r.searches = true
		k.sub = sub
		sub.Start()
		b.rest()
		if sub.group != nil || len(sub.lane.Load().joining) != 0 {
			t.Error("it is level")
		}
		b.publish("a")
		b.publish("a")
		b.want("then", k, "1 2 ")
		sub.Stop()
	})
}

func TestManyClientsThatStallComeAndGo(t *testing.T) {
	inBubble(t, 60, func(b *bed) {
		type client struct {
			*sink
			from int
		}
		var clients []client
		for n := range 600 {
			if n%10 == 0 {
				from := rand.IntN(n + 1)
				clients = append(clients, client{b.subscribe(topics("a", "*"), uint64(from)), from})
			}
			for _, c := range clients {
				switch rand.IntN(12) {
				case 0:
					c.stall()
				case 1, 2:
					c.resume()
				}
			}
			b.stream.publish("a")
			<-time.After(rand.N(4 * time.Millisecond))
			if n == 300 {
				b.hub.widen(b.hub.lanes[0])
			}
		}
		for _, c := range clients {
			c.resume()
		}
		b.rest()
		for i, c := range clients {
			b.want(fmt.Sprintf("client %d from %d", i, c.from), c.sink, sequence(c.from+1, 600))
			c.sub.Stop()
		}
	})
}

func TestClosedHubLeavesNothingBehind(t *testing.T) {
	inBubble(t, 1000, func(b *bed) {
		k := b.subscribe(topics("a"))
		stalled := b.subscribe(topics("a"), 0)
		stalled.stall()
		b.publish("a")
		b.hub.Close()
		k.sub.Stop()
		stalled.sub.Stop()
	})
}
