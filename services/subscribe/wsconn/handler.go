// Package wsconn serves the WebSocket protocol msgq.v1: one connection carries
// live subscriptions and queue memberships, each bounded in what it may hold.
package wsconn

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// Source is where subscriptions come from. *msgq.Client is one.
type Source interface {
	// Live opens a reader of the stream.
	Live(ctx context.Context, l msgq.Live) (*msgq.LiveSubscription, error)
	// Join makes a member of a queue.
	Join(ctx context.Context, q msgq.Queue, credit int) (*msgq.Member, error)
	// Epoch names the present life of the stream, empty while it is not known.
	Epoch() string
}

// Options of a Handler.
type Options struct {
	Source       Source
	Log          *slog.Logger
	ClientBuffer int // bytes that wait for one client
	// Slots bounds the connections, together with those of others.
	Slots    *semaphore.Weighted
	Registry prometheus.Registerer
}

// Handler upgrades requests and keeps track of the connections.
type Handler struct {
	opts     Options
	upgrader websocket.Upgrader
	metrics  *metrics

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

const subprotocol = "msgq.v1"

// New returns a handler; Shutdown ends its connections.
func New(o Options) *Handler {
	return &Handler{
		opts: o,
		upgrader: websocket.Upgrader{
			Subprotocols:    []string{subprotocol},
			ReadBufferSize:  1024, // most frames of clients are small
			WriteBufferPool: &sync.Pool{},
			WriteBufferSize: 4096,
			CheckOrigin:     func(*http.Request) bool { return true }, // checked for every route before
		},
		metrics: newMetrics(o.Registry),
		conns:   make(map[*conn]struct{}),
	}
}

// Serve upgrades one request. The connection goes on after it returns.
func (h *Handler) Serve(c echo.Context) error {
	if !websocket.IsWebSocketUpgrade(c.Request()) {
		return problem.New(http.StatusBadRequest, "invalid_request", "This is a WebSocket endpoint: connect with ws:// or wss://.")
	}
	if offered := websocket.Subprotocols(c.Request()); len(offered) > 0 && !slices.Contains(offered, subprotocol) {
		return problem.New(http.StatusBadRequest, "invalid_request", "The subprotocol "+subprotocol+" is not among those offered.")
	}
	ws, err := h.upgrader.Upgrade(c.Response(), c.Request(), nil)
	if err != nil {
		return nil //nolint:nilerr // Upgrade has answered
	}
	conn := newConn(h, ws, nuid.Next())
	if !h.register(conn) {
		h.wg.Go(func() {
			conn.close(closeOverLimit, "too many connections")
			conn.hangUp()
		})
		return nil
	}
	h.wg.Go(func() {
		defer h.unregister(conn)
		conn.run()
	})
	return nil
}

func (h *Handler) register(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || !h.opts.Slots.TryAcquire(1) {
		return false
	}
	h.conns[c] = struct{}{}
	h.metrics.connections.Inc()
	return true
}

func (h *Handler) unregister(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	h.opts.Slots.Release(1)
	h.metrics.connections.Dec()
}

// Shutdown closes every connection with 1001, spread over a time that grows
// with their number so that they do not all come back at once, and waits.
func (h *Handler) Shutdown() {
	h.mu.Lock()
	h.closed = true
	spread := min(maxSpread, time.Duration(len(h.conns))*time.Millisecond)
	for c := range h.conns {
		time.AfterFunc(rand.N(spread+1), func() { c.close(closeShutdown, "the server stops") }) //nolint:gosec // no secret
	}
	h.mu.Unlock()
	h.wg.Wait()
}

const maxSpread = 5 * time.Second
