package wsconn

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCloseFrameComesLastAndOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, client := newOutbox(t, 1<<20)
		mustPut(t, o, "before")
		o.finish([]byte{0x80 | opClose, 2, 0x03, 0xe9}, false)
		o.finish([]byte{0x80 | opClose, 2, 0x0f, 0xff}, false)
		o.ping()
		if err := o.put(t.Context(), []byte("after")); !errors.Is(err, errEnded) {
			t.Errorf("put after the close: %v", err)
		}
		go o.end()
		if _, got := nextFrame(t, client); got != "before" {
			t.Errorf("got %q", got)
		}
		if op, got := nextFrame(t, client); op != opClose || got != "\x03\xe9" {
			t.Errorf("got opcode %d, %q, want the first close", op, got)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := client.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("something came after the close")
		}
	})
}

func TestEndGivesAStalledClientItsTimeForTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOutbox(t, 1<<20)
		mustPut(t, o, "nobody reads this")
		o.finish([]byte{0x80 | opClose, 0}, false)
		start := time.Now()
		o.end()
		if took := time.Since(start); took != takeTimeout {
			t.Errorf("it took %s, want %s", took, takeTimeout)
		}
	})
}

func TestCloseTakesThePlaceOfWhatWaitsButNotOfTheRestOfAFrame(t *testing.T) {
	o, client := newSocketOutbox(t)
	sent := clog(t, o)
	mustPut(t, o, "waits in vain", strings.Repeat("x", frameBytes), "this too")
	o.finish([]byte{0x80 | opClose, 2, 0x11, 0x9c}, true)
	if n := o.waiting(); n > 40_000 {
		t.Errorf("%d bytes wait, more than of the frame that was begun", n)
	}
	told := make(chan bool)
	go func() { told <- o.end() }()
	wantClogged(t, client, sent)
	if op, got := nextFrame(t, client); op != opClose || got != "\x11\x9c" {
		t.Errorf("got opcode %d, %.20q, want the close", op, got)
	}
	if !<-told {
		t.Error("all was written, and end says that it was not")
	}
}

func TestWhatIsDroppedIsNotTheRestOfAFrame(t *testing.T) {
	o := &outbox{bytes: 9, items: []item{{bytes: []byte("rest"), frame: true, begun: true}, {bytes: []byte("whole"), frame: true}}}
	o.drop()
	if len(o.items) != 1 || string(o.items[0].bytes) != "rest" || o.bytes != 4 {
		t.Errorf("%d bytes in %d items are left", o.bytes, len(o.items))
	}
	o.items[0].begun = false
	o.drop()
	if len(o.items) != 0 || o.bytes != 0 {
		t.Errorf("%d bytes in %d items are left of whole frames", o.bytes, len(o.items))
	}
}

// What a client takes of a message before the close, each step a while after the one before, and whether it comes to the close.
func TestCloseWaitsForAClientThatTakesSomething(t *testing.T) {
	const pause = takeTimeout * 4 / 5
	for name, test := range map[string]struct {
		bytes []int
		told  bool
		took  time.Duration
	}{
		"nothing":            {nil, false, takeTimeout},
		"a little, then all": {[]int{1, 998 + 4 + 2}, true, 2 * pause},
		"a little at first":  {[]int{1}, false, 2 * takeTimeout},
		"a little for ever":  {[]int{1, 1, 1, 1, 1, 1, 1, 1, 1}, false, maxClosing},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, client := newOutbox(t, 1<<20)
			mustPut(t, o, strings.Repeat("x", 995)) // and a header of 4
			synctest.Wait()
			o.finish([]byte{0x80 | opClose, 4, 0x11, 0x9c, '!', '!'}, true)
			var reading sync.WaitGroup
			reading.Go(func() {
				for _, n := range test.bytes {
					<-time.After(pause)
					_, _ = io.ReadFull(client, make([]byte, n))
				}
			})
			start := time.Now()
			if told := o.end(); told != test.told {
				t.Errorf("%s: the close was written: %v, want %v", name, told, test.told)
			}
			if took := time.Since(start); took != test.took {
				t.Errorf("%s: it took %s, want %s", name, took, test.took)
			}
			_ = client.Close()
			reading.Wait()
		})
	}
}
