package wsconn

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Heartbeats. A client that for stallAfter neither answers nor takes a byte is closed.
const (
	pingEvery  = 25 * time.Second
	stallAfter = 35 * time.Second
	// frameBytes is about how much one frame carries.
	frameBytes = 64 << 10
)

// heartbeat knows the last sign of life.
type heartbeat struct{ at atomic.Int64 }

func (h *heartbeat) touch() { h.at.Store(time.Now().UnixNano()) }

func (h *heartbeat) silence() time.Duration {
	return time.Duration(time.Now().UnixNano() - h.at.Load())
}

// write is the connection's one writer: lines from the outbox, and pings.
func (c *conn) write() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	check := time.NewTicker(stallAfter - pingEvery)
	defer check.Stop()
	buf := make([]byte, 0, 1024)
	for {
		var err error
		select {
		case <-c.ctx.Done():
			return
		case <-c.out.ready:
			if buf = c.out.take(buf, frameBytes); len(buf) > 0 { // a token may be left of lines taken before
				err = c.writeFrame(buf)
			}
		case <-ping.C:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(stallAfter))
		case <-check.C:
			if c.alive.silence() > stallAfter {
				err = os.ErrDeadlineExceeded
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.close(closeStalled, "no sign of life")
		}
		if err != nil {
			c.end()
			return
		}
	}
}

func (c *conn) writeFrame(frame []byte) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(stallAfter))
	err := c.ws.WriteMessage(websocket.TextMessage, frame)
	if err == nil {
		c.alive.touch() // it took bytes
	}
	return err
}
