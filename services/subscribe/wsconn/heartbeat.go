package wsconn

import (
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Heartbeats. A client that for stallAfter neither answers nor takes a byte is closed.
const (
	pingEvery  = 25 * time.Second
	stallAfter = 35 * time.Second
	beatEvery  = time.Second
	checkBeats = 5
	pingBeats  = int(pingEvery / beatEvery)
)

// clock is the time to the second, told by the one ticker there is. Looking at it
// costs nothing, and it is looked at with each frame that comes.
type clock struct{ now atomic.Int64 }

func (c *clock) set(t time.Time) { c.now.Store(t.UnixNano()) }

// heartbeat knows the last sign of life.
type heartbeat struct {
	clock *clock
	at    atomic.Int64
	taken int64 // bytes that the client had got at the last check, less those of pings
	pings int64 // bytes of pings, sent or waiting
}

func (h *heartbeat) touch() { h.at.Store(h.clock.now.Load()) }

func (h *heartbeat) silence() time.Duration {
	return time.Duration(h.clock.now.Load() - h.at.Load())
}

// stalled reports whether there was no sign of life for too long. That the client has
// got more bytes than at the last check is one; that the kernel takes some for it is none.
// Nor are pings: the client's kernel takes them for a process that is frozen.
func (h *heartbeat) stalled(taken int64) bool {
	if taken -= h.pings; taken > h.taken {
		h.taken = taken
		h.touch()
	}
	return h.silence() >= stallAfter
}

// beat pings every connection and closes those that are stalled or have waited too long
// for the broker, until Shutdown.
func (h *Handler) beat() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for beats := 0; ; beats++ {
		var now time.Time
		select {
		case <-h.ctx.Done():
			return
		case now = <-ticker.C:
			h.clock.set(now)
		}
		outage := h.opts.Source.Outage()
		h.mu.Lock()
		for _, c := range h.conns {
			c.checkGrant(now)
			c.beat(beats, outage)
		}
		h.mu.Unlock()
		h.tidy.beat(h.connections())
	}
}

func (c *conn) beat(beats int, outage time.Duration) {
	switch turn := beats + c.phase; {
	case outage > 0 && c.h.forsaken(c, outage):
		c.close(closeBrokerGone, "the broker cannot be reached")
	case turn%checkBeats == 0 && c.alive.stalled(c.sock.taken()):
		c.close(closeStalled, "no sign of life")
	case turn%pingBeats == 0:
		c.alive.pings += c.out.ping()
	}
}

// tidy gives memory back to the system after a storm of connects: what the handshakes took is three
// times what the connections need. And once more when each has been pinged: until then many wait on the
// larger stacks that goroutines begin with during a storm.
type tidy struct{ had, tidied, again int }

const (
	stormOf    = 500 // connections
	againAfter = pingBeats + 5
)

func (t *tidy) beat(connections int) {
	quiet := connections-t.had < stormOf/10
	t.had = connections
	t.tidied = min(t.tidied, connections)
	if t.again > 0 {
		t.again--
	}
	switch {
	case quiet && connections-t.tidied >= stormOf:
		t.tidied, t.again = connections, againAfter
	case t.again != 1:
		return
	}
	debug.FreeOSMemory()
}
