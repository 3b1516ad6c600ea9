package wsconn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/subscribe/connections"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// Limits of one connection.
const (
	maxFrame         = 64 << 10 // bytes, inbound
	maxSubscriptions = 100
	maxTags          = 1000
	maxID            = 64 // characters
	maxErrors        = 100
	defaultCredit    = 16
)

// conn is one client. One goroutine at a time reads and does what it asks for; everything
// written goes through the outbox. An idle one costs that goroutine and little else.
type conn struct {
	h     *Handler
	sock  *socket
	in    *bufio.Reader // ws reads from it
	ws    *websocket.Conn
	id    string
	since time.Time
	out   outbox
	alive heartbeat
	phase int // of its heartbeats, so that not all come at once

	grant atomic.Pointer[auth.Grant] // nil until there was a token

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	closing sync.Once
	closed  atomic.Bool // by us, with a code
	errors  int

	mu   sync.Mutex              // the reader alone changes subs
	subs map[string]subscription // nil until there is one
}

// subscription is what one subscribe began.
type subscription interface {
	// stop ends it and waits for it; what it has not settled goes to others.
	stop()
	// ended is true where the server has ended it by itself.
	ended() bool
	// allowed reports whether a bearer of the grant may have it.
	allowed(g *auth.Grant) bool
	// describe says what it is and where it stands.
	describe() connections.Subscription
}

func newConn(h *Handler, nc net.Conn, id string) *conn {
	c := &conn{h: h, sock: newSocket(nc), id: id, since: time.Now(), phase: rand.N(pingBeats)} //nolint:gosec // no secret
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.alive.clock = &h.clock
	c.alive.touch()
	c.out.sock, c.out.max, c.out.fail = c.sock, h.opts.ClientBuffer, c.end
	c.in = bufio.NewReaderSize(gorillaConn{Conn: nc, out: &c.out}, readBuffer)
	return c
}

func (c *conn) log() *slog.Logger { return c.h.opts.Log.With("connection", c.id) }

// run serves the connection until it ends.
func (c *conn) run() {
	c.log().Debug("connected", "remote", c.sock.RemoteAddr().String())
	c.ws.SetReadLimit(maxFrame)
	c.ws.SetPongHandler(func(string) error { c.alive.touch(); return nil })
	if c.grant.Load() != nil {
		c.welcome()
	}
	c.h.wg.Go(c.serve)
}

// serve does what the client asks for next. It goes on in another goroutine: what this
// takes makes a stack large, and thousands that wait should stand on small ones.
func (c *conn) serve() {
	if c.sock.readable() == nil && c.read() {
		c.h.wg.Go(c.serve)
		return
	}
	c.leave()
}

func (c *conn) leave() {
	var stopping sync.WaitGroup
	for _, s := range c.subs {
		stopping.Go(s.stop) // what the client has sent is done first
	}
	stopping.Wait()
	c.cancel()
	c.hangUp()
	c.h.unregister(c)
	c.log().Debug("disconnected")
}

func (c *conn) welcome() {
	c.answer(welcome{
		Type: "welcome", Connection: c.id, Epoch: c.h.opts.Source.Epoch(), Server: msgq.Version,
		Limits: limits{
			Frame: maxFrame, Subscriptions: maxSubscriptions, Topics: msgq.MaxPatterns, Filter: filter.MaxLength,
			Credit: msgq.MaxCredit, Tags: maxTags, Last: msgq.MaxLast,
		},
	})
}

// read handles the frames that have come, at least one. It is false when the connection has to end.
func (c *conn) read() bool {
	for {
		if !c.readPong() && !c.readMessage() {
			return false
		}
		if c.in.Buffered() == 0 {
			return true
		}
	}
}

// readPong takes a pong, if one is next: gorilla would wait for what comes after it.
func (c *conn) readPong() bool {
	header, err := c.in.Peek(2)
	if err != nil || header[0] != 0x80|opPong || header[1] < 0x80 || header[1] > 0x80|maxControl {
		return false // gorilla knows what is wrong with it
	}
	c.alive.touch()
	_, err = c.in.Discard(2 + maskBytes + int(header[1]&0x7f))
	return err == nil
}

func (c *conn) readMessage() bool {
	kind, frame, err := c.ws.ReadMessage()
	if err != nil {
		if errors.Is(err, websocket.ErrReadLimit) { // gorilla does not tell of a length over 63 bits
			c.close(closeTooBig, "")
		}
		_, byClient := errors.AsType[*websocket.CloseError](err)
		if !byClient && c.out.closing() { // gorilla has sent 1002 or 1009
			c.closed.Store(true)
		}
		return false
	}
	c.alive.touch()
	switch {
	case kind == websocket.BinaryMessage:
		c.close(closeBinary, "text frames only")
		return false
	case !utf8.Valid(frame):
		c.close(closeNotUTF8, "not UTF-8")
		return false
	}
	for line := range bytes.SplitSeq(frame, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !c.handle(line) {
			return false
		}
	}
	return true
}

// handle does what one object asks for. It is false when the connection has to end.
// A defect that shows on one must not end the others.
func (c *conn) handle(line []byte) (goOn bool) {
	defer func() {
		if p := recover(); p != nil {
			c.log().Error("request panicked", "panic", p, "stack", string(debug.Stack()))
			c.close(closeInternal, "something went wrong here")
			goOn = false
		}
	}()
	r, err := parseRequest(line)
	if errors.Is(err, errNotJSON) {
		c.close(closeBadFrames, "not JSON")
		return false
	}
	if err == nil {
		err = c.dispatch(r)
	}
	if err == nil {
		return c.ctx.Err() == nil
	}
	c.fail(r.Ref, r.ID, err)
	if !coded(err).retryable { // an outage is not the client's fault
		c.errors++
	}
	if c.errors >= maxErrors {
		c.close(closeBadFrames, "too many errors")
		return false
	}
	return true
}

// answer has an object written now, unless others wait before it.
func (c *conn) answer(v any) {
	_ = c.out.answer(c.ctx, wire.Line(v)) // an error means that the connection is over
}

// send puts an answer into the outbox, waiting for room.
func (c *conn) send(v any) {
	_ = c.out.put(c.ctx, wire.Line(v)) // an error means that the connection is over
}

func (c *conn) fail(ref json.RawMessage, id string, err error) {
	e := coded(err)
	if e.code == "internal" && c.ctx.Err() == nil { // else it failed because the client left
		c.log().Error("request failed", "error", err)
	}
	c.h.metrics.errors.WithLabelValues(e.code).Inc()
	c.send(failure{Type: "error", Ref: ref, ID: cut(id), Code: e.code, Message: e.message, Retryable: e.retryable})
}

// cut keeps an id that is too long from being repeated whole.
func cut(id string) string {
	if len(id) > 4*maxID {
		return ""
	}
	return id
}

func (c *conn) ok(ref json.RawMessage) {
	if len(ref) > 0 {
		c.send(reply{Type: "ok", Ref: ref})
	}
}
