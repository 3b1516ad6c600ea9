// Package web is the HTTP frame that both services share: request ids, checks of
// host and origin, problem details, health, readiness and metrics.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/tracing"
)

// Options of a service's HTTP frame.
type Options struct {
	Log *slog.Logger
	// Addr is where the service listens.
	Addr net.Addr
	// Origins are those of other hosts' pages that may use the service.
	Origins []string
	// Auth says who may do what under /v1/.
	Auth *auth.Verifier
	// Check tells whether messages can flow.
	Check func(context.Context) error
	// Tracer makes spans of requests.
	Tracer *tracing.Tracer
	// Registry takes the service's metrics.
	Registry *prometheus.Registry
}

// NewRegistry has the metrics of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// New returns the frame; the service adds its routes.
func New(o Options) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = problem.Handler(o.Log)
	e.Pre(requestID)
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			o.Log.Error("handler panicked", "path", c.Path(), "error", err, "stack", string(stack))
			return err
		},
	}))
	e.Use(measure(o.Registry))
	if o.Tracer != nil {
		e.Use(o.Tracer.Middleware)
	}
	if !o.Auth.Required() && isLoopback(o.Addr) {
		e.Use(checkHost(o.Origins))
	}
	e.Use(checkOrigin(o.Origins), shareWith(o.Origins), o.Auth.Middleware, checkQuery)

	e.Match(Reading, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.Match(Reading, "/readyz", readyz(o.Check))
	e.Match(Reading, "/metrics", echo.WrapHandler(promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{})))
	return e
}

// Reading are the methods of a path that shows something.
var Reading = []string{http.MethodGet, http.MethodHead}

// readyTimeout bounds the question to the broker.
const readyTimeout = 2 * time.Second

func readyz(check func(context.Context) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), readyTimeout)
		defer cancel()
		err := check(ctx)
		if err == nil {
			return c.String(http.StatusOK, "ready\n")
		}
		if errors.Is(err, msgq.ErrNoQuorum) {
			return problem.New(http.StatusServiceUnavailable, "broker_unavailable",
				"Not ready: the stream has no leader; is the broker cut off from its cluster, or the cluster without a majority?")
		}
		if _, known := errors.AsType[*problem.Error](err); !known && errors.Is(err, msgq.ErrUnavailable) {
			return problem.New(http.StatusServiceUnavailable, "broker_unavailable",
				"Not ready: the broker cannot be reached, refuses this service, or lacks the stream; the log says which.")
		}
		return fmt.Errorf("readiness: %w", err)
	}
}

// requestID names each request, or keeps the name that a proxy gave it.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !validRequestID(id) {
			id = nuid.Next()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func validRequestID(id string) bool {
	for _, r := range id {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}
