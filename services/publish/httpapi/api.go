// Package httpapi is the publish service's HTTP API: it turns requests into
// messages, and errors into problem details.
package httpapi

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/limit"
	"github.com/asyncmsglib/msgq/services/publish/openapi"
)

// Client stores messages. *msgq.Client is one, whose methods these are.
type Client interface {
	Publish(ctx context.Context, m msgq.Message, opts ...msgq.PublishOption) (msgq.Receipt, error)
	PublishBatch(ctx context.Context, items []msgq.BatchItem) []msgq.BatchResult
	PublishAtomic(ctx context.Context, items []msgq.BatchItem) ([]msgq.Receipt, error)
	Delayed(ctx context.Context, pattern string) iter.Seq2[msgq.DelayedMessage, error]
	CancelDelayed(ctx context.Context, topic, id string, opts ...msgq.PublishOption) error
	MaxData() int64
}

// API publishes what is POSTed.
type API struct {
	Client  Client
	Auth    *auth.Verifier
	MaxBody int64 // bytes of data in one message
	// Stall is how long a batch's body may stand still; the server bounds other bodies.
	Stall time.Duration
	// Stopping has batches end, with what was stored of them, in time for the service's stop.
	Stopping context.Context //nolint:containedctx // the service's life
	Budget   *limit.Budget
	Rate     *limit.Rate // nil: callers are not limited
}

// Routes adds the API to e. The wildcards make a topic with a slash an invalid
// topic and not an unknown path.
func (a *API) Routes(e *echo.Echo) {
	e.POST("/v1/topics/*", a.admitted(a.publish))
	e.POST("/v1/messages", a.admitted(a.publishBatch))
	e.Match(web.Reading, "/v1/delayed", a.admitted(a.listDelayed))
	e.DELETE("/v1/delayed/*", a.admitted(a.cancelDelayed))
	e.Match(web.Reading, "/openapi.yaml", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/yaml", openapi.Document)
	})
}

type handler func(c echo.Context, share *limit.Share) error

// admitted lets in whoever is within the limits.
func (a *API) admitted(next handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		if a.Rate != nil {
			if err := a.Rate.Allow(limit.Caller(c.Request().RemoteAddr), c.Response().Header()); err != nil {
				return err
			}
		}
		share, err := a.Budget.Enter(c.Request().Header)
		if err != nil {
			return err
		}
		defer share.Leave()
		return next(c, share)
	}
}

// allow refuses a caller who may not publish to the topic, or to all topics of the pattern.
func (a *API) allow(c echo.Context, topic string) error {
	grant, err := a.Auth.Of(c.Request())
	if err != nil {
		return err
	}
	return grant.Publishes(topic)
}

// maxData is how much data a message may have.
func (a *API) maxData() int64 {
	if broker := a.Client.MaxData(); broker > 0 {
		return min(a.MaxBody, broker)
	}
	return a.MaxBody
}

func badRequest(code, detail string) error {
	return problem.New(http.StatusBadRequest, code, detail)
}
