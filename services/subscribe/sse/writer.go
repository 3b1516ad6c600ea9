package sse

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	mediaType = "text/event-stream"
	// stallAfter ends the connection of a client that takes no piece for so long.
	stallAfter = 35 * time.Second
	pieceBytes = 16 << 10
	// stopAfter is how long a client has for the rest when the stream ends.
	stopAfter = time.Second
)

// writer writes events to one client.
type writer struct {
	ctx  context.Context
	res  *echo.Response
	rc   *http.ResponseController
	last time.Time // of the last write
	stop func()    // has the end of ctx do nothing any more
}

// newWriter answers 200. When ctx ends, a write that waits for the client soon fails.
func newWriter(ctx context.Context, c echo.Context) *writer {
	res := c.Response()
	h := res.Header()
	h.Set(echo.HeaderContentType, mediaType)
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not gather events
	res.WriteHeader(http.StatusOK)
	w := &writer{ctx: ctx, res: res, rc: http.NewResponseController(res), last: time.Now()}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		w.deadline(stopAfter)
	})
	w.stop = func() {
		if !stop() {
			<-cut // the response must not be touched when the handler has returned
		}
	}
	return w
}

// close leaves the connection as HTTP wants it back.
func (w *writer) close() {
	w.stop()
	_ = w.rc.SetWriteDeadline(time.Time{})
}

// bye tells the client to come back, as it does when the stream ends.
func (w *writer) bye(reason string) error {
	return w.write(fmt.Appendf(nil, "retry: %d\n: %s\n\n", comeBack().Milliseconds(), reason))
}

// write has the client see all of b, in pieces that it has to take in time.
func (w *writer) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), pieceBytes)
		w.deadline(stallAfter)
		if _, err := w.res.Write(b[:n]); err != nil {
			return err
		}
		if err := w.rc.Flush(); err != nil {
			return err
		}
		w.last = time.Now()
		b = b[n:]
	}
	return nil
}

// deadline is for the next write. Whichever comes last of this and the end of
// ctx sets the short one.
func (w *writer) deadline(d time.Duration) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(d))
	if w.ctx.Err() != nil {
		_ = w.rc.SetWriteDeadline(time.Now().Add(stopAfter))
	}
}
