// Package queueapi is queues over HTTP: to create, look at, change and delete
// them, to work on them without a WebSocket (pull and settle), and to see to
// their dead letters.
package queueapi

import (
	"context"
	"iter"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/web"
)

// Queues is where queues live. *msgq.Client is one.
type Queues interface {
	QueuesAfter(ctx context.Context, name string, limit int) (queues []msgq.QueueInfo, more bool, err error)
	QueueInfo(ctx context.Context, name string) (msgq.QueueInfo, error)
	Queue(ctx context.Context, name string) (msgq.Queue, error)
	PutQueue(ctx context.Context, q msgq.Queue) (created bool, err error)
	DeleteQueue(ctx context.Context, name string) error
	SeekQueue(ctx context.Context, name string, from msgq.From) error

	Pull(ctx context.Context, queue string, most int, wait time.Duration) ([]msgq.Pulled, error)
	Settle(ctx context.Context, queue string, tags []string, s msgq.Settlement) ([]error, error)

	DeadLetters(ctx context.Context, queue string, opts ...msgq.DeadLettersOption) iter.Seq2[msgq.DeadLetter, error]
	Redrive(ctx context.Context, queue string, sel msgq.Selection) (int, error)
	Discard(ctx context.Context, queue string, sel msgq.Selection) (int, error)
}

// API answers for queues.
type API struct {
	Queues Queues
	Auth   *auth.Verifier
	// Changed is called after a queue was created, changed or deleted.
	Changed func(context.Context)
	// Failing reports whether the queue's webhook fails again and again, as this instance sees it.
	Failing func(queue string) bool
	// Stopping ends pulls that wait when the service is to stop.
	Stopping context.Context
}

// Routes adds the API to e.
func (a *API) Routes(e *echo.Echo) {
	manager := a.Auth.Allowing(func(c echo.Context, g *auth.Grant) error { return g.Manages(c.Param("name")) })
	worker := a.Auth.Allowing(a.works)
	reader := a.Auth.Allowing(a.reads)

	e.Match(web.Reading, "/v1/queues", a.list, a.Auth.Admin)
	e.Match(web.Reading, "/v1/queues/:name", a.get, manager)
	e.PUT("/v1/queues/:name", a.put, manager)
	e.DELETE("/v1/queues/:name", a.delete, manager)
	e.POST("/v1/queues/:name/seek", a.seek, manager)

	e.POST("/v1/queues/:name/pull", a.pull, worker)
	e.POST("/v1/queues/:name/ack", a.ack, worker)
	e.POST("/v1/queues/:name/nack", a.nack, worker)
	e.POST("/v1/queues/:name/reject", a.reject, worker)

	e.Match(web.Reading, "/v1/queues/:name/dead", a.listDead, reader)
	e.POST("/v1/queues/:name/dead/redrive", a.clearDead(a.Queues.Redrive, "redriven"), reader)
	e.POST("/v1/queues/:name/dead/discard", a.clearDead(a.Queues.Discard, "discarded"), reader)
}

// reads allows seeing the queue's dead letters, and asking by a filter what is among them. A
// token with a filter of its own sees those of queues that have the same alone.
func (a *API) reads(c echo.Context, g *auth.Grant) error {
	if err := g.Manages(c.Param("name")); err != nil || g.Filter == "" {
		return err
	}
	return a.sameFilter(c, g)
}

// works allows being a worker of the queue, whose forced filter has to be the token's.
func (a *API) works(c echo.Context, g *auth.Grant) error {
	if err := g.Works(c.Param("name")); err != nil || !a.Auth.Required() {
		return err
	}
	return a.sameFilter(c, g)
}

func (a *API) sameFilter(c echo.Context, g *auth.Grant) error {
	q, err := a.Queues.Queue(web.Lasting(c), c.Param("name"))
	if err == nil && q.Forced != g.Filter {
		err = msgq.ErrQueueForced
	}
	return err
}

// Largest bodies, in bytes.
const (
	maxSettings = 64 << 10  // a filter, patterns, a list of waits
	maxNamed    = 256 << 10 // maxSeqs sequences
	maxTagged   = 1 << 20   // maxTags tags, 300 bytes each at most
)
