// Package wsconn serves the WebSocket protocol msgq.v1: one connection carries
// live subscriptions and queue memberships, each bounded in what it may hold.
package wsconn

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/subscribe/connections"
	"github.com/asyncmsglib/msgq/services/subscribe/fanout"
)

// Source is where queues come from. *msgq.Client is one.
type Source interface {
	// Join makes a member of a queue.
	Join(ctx context.Context, q msgq.Queue, credit int) (*msgq.Member, error)
	// Epoch names the present life of the stream, empty while it is not known.
	Epoch() string
	// Outage is how long the broker has been away, 0 while it is there.
	Outage() time.Duration
}

// Options of a Handler.
type Options struct {
	Source       Source
	Hub          *fanout.Hub // closed by whoever made it, after Shutdown
	Auth         *auth.Verifier
	Log          *slog.Logger
	ClientBuffer int // bytes that wait for one client
	// BrokerGrace is how long connections wait for a broker that is gone.
	BrokerGrace time.Duration
	// Slots bounds the connections, together with those of others.
	Slots *semaphore.Weighted
	// Connections lists them.
	Connections *connections.List
	Registry    prometheus.Registerer
}

// Handler upgrades requests and keeps track of the connections.
type Handler struct {
	opts     Options
	upgrader websocket.Upgrader
	metrics  *metrics
	live     prometheus.Counter // deliveries of live subscriptions
	clock    clock
	tidy     tidy

	ctx  context.Context // ends with Shutdown
	stop context.CancelFunc

	mu      sync.Mutex
	conns   map[string]*conn // by id
	beating bool
	closed  bool
	wg      sync.WaitGroup
}

// readBuffer is small: so is most of what clients send, and there are thousands of it.
const readBuffer = 512

const subprotocol = "msgq.v1"

// New returns a handler; Shutdown ends its connections.
func New(o Options) *Handler {
	h := &Handler{
		opts: o,
		upgrader: websocket.Upgrader{
			Subprotocols:    []string{subprotocol},
			WriteBufferPool: &sync.Pool{},
			WriteBufferSize: 4096,
			CheckOrigin:     func(*http.Request) bool { return true },                // checked for every route before
			Error:           func(http.ResponseWriter, *http.Request, int, error) {}, // Serve answers
		},
		metrics: newMetrics(o.Registry),
		conns:   make(map[string]*conn),
	}
	h.live = h.metrics.deliveries.WithLabelValues("live")
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.clock.set(time.Now())
	return h
}

// Serve upgrades one request. The connection goes on after it returns.
func (h *Handler) Serve(c echo.Context) error {
	if !websocket.IsWebSocketUpgrade(c.Request()) {
		return problem.New(http.StatusBadRequest, "invalid_request", "This is a WebSocket endpoint: connect with ws:// or wss://.")
	}
	if offered := websocket.Subprotocols(c.Request()); len(offered) > 0 && !slices.Contains(offered, subprotocol) {
		return problem.New(http.StatusBadRequest, "invalid_request", "The subprotocol "+subprotocol+" is not among those offered.")
	}
	grant, err := h.grantOf(c.Request())
	if err != nil {
		return err
	}
	var conn *conn
	wrap := func(nc net.Conn) (net.Conn, *bufio.Reader) {
		conn = newConn(h, nc, nuid.Next())
		return gorillaConn{Conn: nc, out: &conn.out}, conn.in
	}
	ws, err := h.upgrader.Upgrade(hijacker{ResponseWriter: c.Response().Writer, wrap: wrap}, c.Request(), nil)
	if refused, ok := errors.AsType[websocket.HandshakeError](err); ok {
		c.Response().Header().Set("Sec-WebSocket-Version", "13")
		return problem.New(http.StatusBadRequest, "invalid_request",
			"This is no WebSocket handshake: "+strings.TrimPrefix(refused.Error(), "websocket: ")+".")
	}
	if err != nil {
		return nil //nolint:nilerr // the connection is gone
	}
	c.Response().Status = http.StatusSwitchingProtocols // for metrics and traces
	conn.ws = ws
	conn.grant.Store(grant)
	if !h.start(conn) { // refused here, not beside Shutdown, which might not wait for it
		conn.close(closeOverLimit, "too many connections")
		conn.hangUp()
	}
	return nil
}

// start runs the connection, not in the HTTP server's goroutine, whose stack and
// buffers are larger. It is false where there is no room for it.
func (h *Handler) start(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || !h.opts.Slots.TryAcquire(1) {
		return false
	}
	if !h.beating {
		h.beating = true
		h.wg.Go(h.beat)
	}
	h.conns[c.id] = c
	h.opts.Connections.Add(c.id, c)
	h.metrics.connections.Inc()
	h.wg.Go(c.run)
	return true
}

func (h *Handler) unregister(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c.id)
	h.opts.Connections.Remove(c.id)
	h.opts.Slots.Release(1)
	h.metrics.connections.Dec()
}

func (h *Handler) connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Shutdown closes every connection with 1001, spread over a time that grows
// with their number so that they do not all come back at once, and waits.
func (h *Handler) Shutdown() {
	h.mu.Lock()
	h.closed = true
	spread := min(maxSpread, time.Duration(len(h.conns))*time.Millisecond)
	for _, c := range h.conns {
		time.AfterFunc(rand.N(spread+1), func() { c.close(closeShutdown, "the server stops") }) //nolint:gosec // no secret
	}
	h.mu.Unlock()
	h.stop()
	h.wg.Wait()
}

const maxSpread = 5 * time.Second
