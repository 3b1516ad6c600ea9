package wsconn

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// socket writes to a connection without waiting too, and knows how much the client
// has got, which net.Conn does not.
type socket struct {
	net.Conn
	raw  syscall.RawConn // nil: a connection that is no socket is always waited for
	fd   int             // for those who do not wait: raw costs them a twentieth more
	sent atomic.Int64    // bytes that the kernel has taken
}

func newSocket(conn net.Conn) *socket {
	s := &socket{Conn: conn}
	if c, ok := conn.(syscall.Conn); ok {
		raw, err := c.SyscallConn() // an error means that it is closed, which the first write finds out
		if err == nil && raw.Control(func(fd uintptr) { s.fd = int(fd) }) == nil {
			s.raw = raw
		}
	}
	return s
}

// tryWrite writes what the socket takes at once. Not beside Close, after which the
// number is another file's.
func (s *socket) tryWrite(p []byte) (n int, err error) {
	if s.raw == nil {
		return 0, nil
	}
	n, err = writeOnce(s.fd, p)
	s.sent.Add(int64(n))
	return n, err
}

// write writes all of p, unless there is an error.
func (s *socket) write(p []byte) (n int, err error) {
	if s.raw == nil {
		n, err = s.Write(p)
		s.sent.Add(int64(n))
		return n, err
	}
	var failed error
	err = s.raw.Write(func(fd uintptr) bool {
		for n < len(p) && failed == nil {
			var some int
			if some, failed = writeOnce(int(fd), p[n:]); some == 0 {
				break
			}
			n += some
			s.sent.Add(int64(some))
		}
		return n == len(p) || failed != nil
	})
	if failed != nil {
		return n, failed
	}
	return n, err
}

// readable waits until there is something to read, or the end of it.
func (s *socket) readable() error {
	if s.raw == nil {
		return nil
	}
	return s.raw.Read(hasCome)
}

func hasCome(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	return err != syscall.EAGAIN
}

// taken is how many bytes the client has got.
func (s *socket) taken() int64 {
	sent := s.sent.Load() // before the other: too little is put right by the next look
	return sent - int64(s.unacknowledged())
}

// writeOnce returns 0 where the socket takes nothing now.
func writeOnce(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, p)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, nil
		}
		return 0, err
	}
}

// gorillaConn is the connection as gorilla sees it: it reads for itself, and what it
// writes goes the same way as everything else.
type gorillaConn struct {
	net.Conn
	out *outbox
}

func (c gorillaConn) Write(p []byte) (int, error) { return c.out.Write(p) }

// SetWriteDeadline does nothing: deadlines are the outbox's.
func (c gorillaConn) SetWriteDeadline(time.Time) error { return nil }

// hijacker gives gorilla another connection than the one that it takes over, and a
// reader of it that is smaller than the server's.
type hijacker struct {
	http.ResponseWriter
	wrap func(net.Conn) (net.Conn, *bufio.Reader)
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	conn, reader := h.wrap(conn)
	if buffers.Reader.Buffered() == 0 { // else gorilla refuses a client that did not wait for the answer
		buffers.Reader = reader
	}
	return conn, buffers, nil
}
