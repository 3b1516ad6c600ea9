// Package sse serves live subscriptions as server-sent events: one request is
// one subscription, resumed exactly where its last event was.
package sse

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/subscribe/connections"
	"github.com/asyncmsglib/msgq/services/subscribe/fanout"
)

// Options of a Handler.
type Options struct {
	Hub *fanout.Hub // closed by whoever made it, when the streams have ended
	// Outage is how long the broker has been away, 0 while it is there.
	Outage func() time.Duration
	Auth   *auth.Verifier
	// BrokerGrace is how long streams wait for a broker that is gone.
	BrokerGrace time.Duration
	// Slots bounds the connections, together with those of others.
	Slots *semaphore.Weighted
	// Connections lists them.
	Connections *connections.List
	Registry    prometheus.Registerer
}

// Handler answers requests for events until Shutdown.
type Handler struct {
	opts    Options
	metrics *metrics
	ctx     context.Context // ends with Shutdown
	stop    context.CancelFunc
}

// New returns a handler; Shutdown ends its streams.
func New(o Options) *Handler {
	h := &Handler{opts: o, metrics: newMetrics(o.Registry)}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// Shutdown ends every stream; the HTTP server waits for them. Clients come back
// by themselves, spread over some seconds.
func (h *Handler) Shutdown() { h.stop() }

// Serve answers one request with events until the client leaves or the service stops.
func (h *Handler) Serve(c echo.Context) error {
	live, err := parse(c.Request())
	if err != nil {
		return err
	}
	grant, err := h.opts.Auth.Of(c.Request())
	if err != nil {
		return err
	}
	if err := grant.Subscribes(live.Topics...); err != nil {
		return err
	}
	if live.Filter, err = grant.Narrow(live.Filter); err != nil {
		return err
	}
	if !h.opts.Slots.TryAcquire(1) {
		return refuse(c, problem.New(http.StatusServiceUnavailable, "overloaded", "Too many connections; MSGQ_MAX_CONNECTIONS is the limit."))
	}
	defer h.opts.Slots.Release(1)
	enc := encoding{h.metrics.deliveries}
	s := newStream(h.opts.Outage, h.opts.BrokerGrace)
	if s.sub, err = h.opts.Hub.Subscribe(c.Request().Context(), fanout.Request{Live: live, Encoding: enc}, s); err != nil {
		return refuse(c, err)
	}
	defer s.sub.Stop()
	h.metrics.connections.Inc()
	defer h.metrics.connections.Dec()

	ctx, cancel := grant.Context(c.Request().Context()) // a client that comes back has to bring another token
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s.out = newWriter(ctx, c)
	listed := &listedStream{stream: s, id: nuid.Next(), remote: c.Request().RemoteAddr, subject: grant.Subject, live: live, end: end}
	h.opts.Connections.Add(listed.id, listed)
	defer h.opts.Connections.Remove(listed.id)
	defer s.out.close()
	greeting := first(enc, s.sub.Reader())
	s.sub.Start()
	err = s.run(ctx, greeting)
	switch {
	case h.ctx.Err() != nil:
		_ = s.out.bye("the server stops")
	case errors.Is(err, errForsaken):
		_ = s.out.bye(err.Error())
	case errors.Is(context.Cause(ctx), errEnded):
		_ = s.out.bye(errEnded.Error())
	} // else the client has left
	return nil
}

// first says where the client is: should it lose the connection before a message
// came, it still resumes from there.
func first(enc encoding, r fanout.Reader) []byte {
	if r.Recovered() {
		return enc.Position(nil, r.Position())
	}
	return enc.Reset(nil, r.Position())
}

// refuse answers with the problem, unless it is one that passes and the client is
// an EventSource: that gives up for good on any status but 200, and comes again
// when a stream ends.
func refuse(c echo.Context, err error) error {
	status := problem.Of(err).Status
	if status != http.StatusServiceUnavailable || !strings.Contains(c.Request().Header.Get(echo.HeaderAccept), mediaType) {
		return err
	}
	w := newWriter(c.Request().Context(), c)
	defer w.close()
	_ = w.bye(problem.Of(err).Code) // a client that has left needs no answer
	return nil
}

// comeBack is how long a client waits before it connects again: a while, and not all of them the same.
func comeBack() time.Duration {
	return time.Second + rand.N(4*time.Second) //nolint:gosec // no secret
}
