package wsconn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
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

// conn is one client. The reader owns subs; everything written goes through
// the outbox to the one writer.
type conn struct {
	h   *Handler
	ws  *websocket.Conn
	id  string
	log *slog.Logger
	out *outbox

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	wg     sync.WaitGroup // writer and subscriptions

	closing sync.Once
	closed  atomic.Bool // by us, with a code
	alive   heartbeat
	subs    map[string]subscription
	errors  int
}

// subscription is what one subscribe began.
type subscription interface {
	// stop ends it and waits for it; what it has not settled goes to others.
	stop()
	// ended is true where the server has ended it by itself.
	ended() bool
}

func newConn(h *Handler, ws *websocket.Conn, id string) *conn {
	c := &conn{
		h: h, ws: ws, id: id, log: h.opts.Log.With("connection", id),
		out: newOutbox(h.opts.ClientBuffer), subs: make(map[string]subscription),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.alive.touch()
	return c
}

// run serves the connection until it ends.
func (c *conn) run() {
	c.log.Debug("connected", "remote", c.ws.RemoteAddr().String())
	c.wg.Go(c.write)
	c.send(welcome{
		Type: "welcome", Connection: c.id, Epoch: c.h.opts.Source.Epoch(), Server: msgq.Version,
		Limits: limits{
			Frame: maxFrame, Subscriptions: maxSubscriptions, Topics: msgq.MaxPatterns, Filter: filter.MaxLength,
			Credit: msgq.MaxCredit, Tags: maxTags, Last: msgq.MaxLast,
		},
	})
	c.read()
	var stopping sync.WaitGroup
	for _, s := range c.subs {
		stopping.Go(s.stop) // what the client has sent is done first
	}
	stopping.Wait()
	c.cancel()
	c.wg.Wait()
	c.hangUp()
	c.log.Debug("disconnected")
}

// read handles frames until the connection ends.
func (c *conn) read() {
	c.ws.SetReadLimit(maxFrame)
	c.ws.SetPongHandler(func(string) error { c.alive.touch(); return nil })
	for {
		kind, frame, err := c.ws.ReadMessage()
		if errors.Is(err, websocket.ErrReadLimit) { // gorilla has sent 1009
			c.close(websocket.CloseMessageTooBig, "frame too big")
		}
		if err != nil {
			return
		}
		c.alive.touch()
		switch {
		case kind == websocket.BinaryMessage:
			c.close(closeBinary, "text frames only")
			return
		case !utf8.Valid(frame):
			c.close(closeNotUTF8, "not UTF-8")
			return
		}
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			if !c.handle(line) {
				return
			}
		}
	}
}

// handle does what one object asks for. It is false when the connection has to end.
func (c *conn) handle(line []byte) bool {
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

// send puts an answer into the outbox, waiting for room.
func (c *conn) send(v any) {
	_ = c.out.put(c.ctx, wire.Line(v)) // an error means that the connection is over
}

func (c *conn) fail(ref json.RawMessage, id string, err error) {
	e := coded(err)
	if e.code == "internal" {
		c.log.Error("request failed", "error", err)
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

// closeTimeout is how long a client has to answer a close.
const closeTimeout = time.Second

// close tells the client why and ends the connection. Calls after the first do nothing.
func (c *conn) close(code int, reason string) {
	c.closing.Do(func() {
		c.log.Debug("closing", "code", code, "reason", reason)
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(closeTimeout))
		c.closed.Store(true)
		c.end()
	})
}

// end has reader, writer and subscriptions stop.
func (c *conn) end() {
	c.cancel()
	_ = c.ws.NetConn().SetDeadline(time.Now()) // a write that a stalled client does not take as well
}

// hangUp closes the socket. Where we have sent the close, what the client still
// sends is read first: unread bytes would make the kernel reset the connection,
// and the client would never see the code.
func (c *conn) hangUp() {
	if c.closed.Load() {
		raw := c.ws.NetConn()
		_ = raw.SetReadDeadline(time.Now().Add(closeTimeout))
		_, _ = io.Copy(io.Discard, io.LimitReader(raw, maxDrain))
	}
	_ = c.ws.Close()
}

// maxDrain bounds what is read of a client that floods, in bytes.
const maxDrain = 16 << 20
