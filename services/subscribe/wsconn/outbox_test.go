package wsconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustPut(t *testing.T, o *outbox, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if o.tryPut([]byte(line)) != nil {
			t.Fatalf("no room for %q", line)
		}
	}
}

func TestOutboxJoinsLinesInOrder(t *testing.T) {
	o := newOutbox(100)
	mustPut(t, o, "one", "two", "three")
	<-o.ready
	if got := string(o.take(nil, 100)); got != "one\ntwo\nthree" {
		t.Errorf("took %q", got)
	}
	if got := o.take(nil, 100); len(got) != 0 {
		t.Errorf("took %q of nothing", got)
	}
}

func TestOutboxGivesFramesOfAboutTheSizeAskedFor(t *testing.T) {
	o := newOutbox(1000)
	mustPut(t, o, strings.Repeat("a", 50), "b", "c", "d")
	var frames []string
	for range 2 {
		<-o.ready // wakes again while lines are left
		frames = append(frames, string(o.take(nil, 10)))
	}
	if want := []string{strings.Repeat("a", 50), "b\nc\nd"}; fmt.Sprint(frames) != fmt.Sprint(want) {
		t.Errorf("took %q, want %q: at least one line, however long", frames, want)
	}
}

func TestOutboxHasRoomForOneLineHoweverLong(t *testing.T) {
	o := newOutbox(10)
	mustPut(t, o, strings.Repeat("x", 1000))
	if o.tryPut([]byte("y")) == nil {
		t.Error("a second line fits into a full outbox")
	}
	o.take(nil, 1)
	mustPut(t, o, "y", "123456789")
	if o.tryPut([]byte("z")) == nil {
		t.Error("11 bytes fit into 10")
	}
}

func TestPutWaitsForRoomAndKeepsTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(10)
		mustPut(t, o, "0123456789")
		put := make(chan error, 1)
		go func() { put <- o.put(t.Context(), []byte("next")) }()
		synctest.Wait()
		select {
		case err := <-put:
			t.Fatalf("put into a full outbox: %v", err)
		default:
		}
		o.take(nil, 1)
		synctest.Wait()
		if err := <-put; err != nil {
			t.Errorf("put after room was made: %v", err)
		}
		if got := string(o.take(nil, 100)); got != "next" {
			t.Errorf("took %q", got)
		}
	})
}

func TestPutEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(1)
		mustPut(t, o, "x")
		ctx, cancel := context.WithCancel(t.Context())
		put, drained := make(chan error, 1), make(chan error, 1)
		go func() { put <- o.put(ctx, []byte("y")) }()
		go func() { drained <- o.drained(ctx) }()
		synctest.Wait()
		cancel()
		for _, err := range []error{<-put, <-drained} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the context's", err)
			}
		}
	})
}

func TestDrainedWaitsForTheLastLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(100)
		if err := o.drained(t.Context()); err != nil {
			t.Fatalf("an empty outbox: %v", err)
		}
		mustPut(t, o, "one", "two")
		drained := make(chan error, 1)
		go func() { drained <- o.drained(t.Context()) }()
		synctest.Wait()
		o.take(nil, 1)
		synctest.Wait()
		select {
		case <-drained:
			t.Fatal("drained with a line left")
		default:
		}
		o.take(nil, 1)
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

func TestManyWritersLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(64)
		const writers, lines = 8, 100
		for w := range writers {
			go func() {
				for i := range lines {
					if o.put(t.Context(), fmt.Appendf(nil, "%d-%03d", w, i)) != nil {
						return
					}
				}
			}()
		}
		last := make(map[string]string)
		for n := 0; n < writers*lines; {
			<-o.ready
			for line := range strings.SplitSeq(string(o.take(nil, 30)), "\n") {
				writer, number, _ := strings.Cut(line, "-")
				if number <= last[writer] && last[writer] != "" {
					t.Fatalf("writer %s: %s after %s", writer, number, last[writer])
				}
				last[writer] = number
				n++
			}
		}
	})
}
