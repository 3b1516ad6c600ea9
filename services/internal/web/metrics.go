package web

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// measure counts requests and their durations by route, but for streams: those last as long as their client likes.
func measure(registry prometheus.Registerer) echo.MiddlewareFunc {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "msgq_http_request_duration_seconds",
		Help:    "Duration of HTTP requests by route, method and status, without streams of server-sent events.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"route", "method", "status"})
	registry.MustRegister(duration)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			err := next(c)
			status := c.Response().Status
			if err != nil && !c.Response().Committed {
				status = problem.Of(err).Status
			}
			if c.Response().Header().Get(echo.HeaderContentType) == "text/event-stream" {
				return err
			}
			duration.WithLabelValues(c.Path(), knownMethod(c.Request().Method), strconv.Itoa(status)).Observe(time.Since(start).Seconds())
			return err
		}
	}
}

// knownMethod keeps invented methods from making a time series each.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}
