package wsconn

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestClientIsStalledWithoutASignOfLife(t *testing.T) {
	var c clock
	start := time.Unix(0, 0)
	at := func(seconds int) { c.set(start.Add(time.Duration(seconds) * time.Second)) }
	h := &heartbeat{clock: &c}
	at(0)
	h.touch()
	for seconds := 5; seconds < 35; seconds += 5 {
		at(seconds)
		if h.stalled(0) {
			t.Fatalf("stalled after %d s", seconds)
		}
	}
	at(35)
	if h.stalled(1) { // the client took a byte of what the kernel holds
		t.Error("stalled although it takes what it was sent")
	}
	at(69)
	if h.stalled(1) {
		t.Error("stalled after 34 s")
	}
	at(70)
	if !h.stalled(1) {
		t.Error("not stalled after 35 s")
	}
}

// beaten is a connection whose client neither reads nor answers: only the kernel is at its end. Its time is told by hand.
func beaten(t *testing.T) *conn {
	t.Helper()
	server, _ := tcpPair(t)
	h := New(Options{Log: slog.New(slog.DiscardHandler), ClientBuffer: 4096, Registry: prometheus.NewRegistry()})
	h.clock.set(time.Unix(0, 0))
	c := newConn(h, server, "id")
	t.Cleanup(func() {
		c.close(closeShutdown, "")
		c.out.end()
		_ = c.sock.Close()
	})
	return c
}

// live beats for so many seconds, with what is to happen in each of them first, until the connection is closed.
func live(t *testing.T, c *conn, seconds int, each func(second int)) (closedAfter int) {
	t.Helper()
	for second := range seconds {
		each(second)
		msgqtest.Eventually(t, "the client's kernel takes what was sent", func() bool { return c.out.waiting() == 0 && c.sock.unacknowledged() == 0 })
		c.h.clock.set(time.Unix(int64(second), 0))
		c.beat(second, 0)
		if c.closed.Load() {
			return second
		}
	}
	return 0
}

func TestFrozenProcessIsClosedThoughItsKernelTakesPings(t *testing.T) {
	c := beaten(t)
	if after := live(t, c, 200, func(int) {}); after < 35 || after >= 35+checkBeats {
		t.Errorf("closed after %d s, want 35", after)
	}
	if c.alive.pings == 0 {
		t.Error("it was never pinged")
	}
}

func TestClientThatTakesItsDataStaysThoughItAnswersNoPing(t *testing.T) {
	c := beaten(t)
	after := live(t, c, 200, func(second int) {
		if second%20 == 0 {
			mustPut(t, &c.out, "x")
		}
	})
	if after > 0 {
		t.Errorf("closed after %d s", after)
	}
}
