package wsconn

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// How long a close may take; the service stops within 25 s.
const (
	takeTimeout  = 4 * time.Second  // while the client takes nothing of what comes before the close frame
	closeTimeout = time.Second      // when the frame is written, while the client neither answers nor takes anything
	maxClosing   = 10 * time.Second // in all, but for a last closeTimeout
)

// close tells the client why and ends the connection, without waiting for either.
// Calls after the first do nothing.
func (c *conn) close(code int, reason string) {
	c.closing.Do(func() {
		c.log().Debug("closing", "code", code, "reason", reason)
		if len(reason) > maxReason {
			reason = strings.ToValidUTF8(reason[:maxReason], "")
		}
		payload := websocket.FormatCloseMessage(code, reason)
		frame := append(appendHeader(nil, opClose, len(payload)), payload...)
		c.out.finish(frame, code == closeStalled) // who does not keep up could wait long for the code
		c.closed.Store(true)
		c.end()
	})
}

// maxReason is how long the reason of a close may be, in bytes (RFC 6455, section 5.5).
const maxReason = 123

// end has reader and subscriptions stop.
func (c *conn) end() {
	c.cancel()
	_ = c.sock.SetReadDeadline(time.Now())
}

// hangUp closes the socket. Where we have sent the close, what the client still
// sends is read first: unread bytes would make the kernel reset the connection,
// and the client would never see the code.
func (c *conn) hangUp() {
	if told := c.out.end(); told && c.closed.Load() {
		c.awaitClose()
	}
	_ = c.sock.Close()
}

// awaitClose waits until the client closes too, which many do only when nothing can come any more. A slow one first has to
// take what the kernel holds for it.
func (c *conn) awaitClose() {
	if half, ok := c.sock.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	rest := io.LimitReader(c.sock.Conn, maxDrain)
	for {
		taken := c.sock.taken()
		_ = c.sock.SetReadDeadline(time.Now().Add(closeTimeout))
		_, err := io.Copy(io.Discard, rest)
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.sock.taken() == taken || time.Now().After(c.out.over) {
			return
		}
	}
}

// maxDrain bounds what is read of a client that floods, in bytes.
const maxDrain = 16 << 20
