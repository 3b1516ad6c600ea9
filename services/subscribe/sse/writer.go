package sse

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
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
	buf  []byte
	stop func() // has the end of ctx do nothing any more
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

// event adds one to what flush writes.
func (w *writer) event(kind string, pos msgq.Position, data any) error {
	w.buf = fmt.Appendf(w.buf, "id: %s\nevent: %s\ndata: ", wire.PositionText(pos), kind)
	w.buf = append(w.buf, wire.Line(data)...)
	w.buf = append(w.buf, "\n\n"...)
	if len(w.buf) < pieceBytes {
		return nil
	}
	return w.write()
}

// comment writes a line that clients ignore.
func (w *writer) comment(text string) error {
	w.buf = append(w.buf, ": "+text+"\n\n"...)
	return w.flush()
}

// bye tells the client to come back, as it does when the stream ends.
func (w *writer) bye(reason string) error {
	w.buf = fmt.Appendf(w.buf, "retry: %d\n: %s\n\n", comeBack().Milliseconds(), reason)
	return w.flush()
}

// flush has the client see all that was written.
func (w *writer) flush() error {
	if err := w.write(); err != nil {
		return err
	}
	w.deadline(stallAfter)
	return w.rc.Flush()
}

// write hands over what waits, in pieces that the client has to take in time.
func (w *writer) write() error {
	for rest := w.buf; len(rest) > 0; {
		n := min(len(rest), pieceBytes)
		w.deadline(stallAfter)
		if _, err := w.res.Write(rest[:n]); err != nil {
			return err
		}
		w.last = time.Now()
		rest = rest[n:]
	}
	if cap(w.buf) > 4*pieceBytes { // a quiet stream keeps no large buffer
		w.buf = nil
	}
	w.buf = w.buf[:0]
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
