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
)

// Queues is where queues live. *msgq.Client is one.
type Queues interface {
	QueuesAfter(ctx context.Context, name string, limit int) (queues []msgq.QueueInfo, more bool, err error)
	QueueInfo(ctx context.Context, name string) (msgq.QueueInfo, error)
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
	// Changed is called after a queue was created, changed or deleted.
	Changed func(context.Context)
	// Stopping ends pulls that wait when the service is to stop.
	Stopping context.Context
}

// Routes adds the API to e.
func (a *API) Routes(e *echo.Echo) {
	e.GET("/v1/queues", a.list)
	e.GET("/v1/queues/:name", a.get)
	e.PUT("/v1/queues/:name", a.put)
	e.DELETE("/v1/queues/:name", a.delete)
	e.POST("/v1/queues/:name/seek", a.seek)

	e.POST("/v1/queues/:name/pull", a.pull)
	e.POST("/v1/queues/:name/ack", a.ack)
	e.POST("/v1/queues/:name/nack", a.nack)
	e.POST("/v1/queues/:name/reject", a.reject)

	e.GET("/v1/queues/:name/dead", a.listDead)
	e.POST("/v1/queues/:name/dead/redrive", a.clearDead(a.Queues.Redrive, "redriven"))
	e.POST("/v1/queues/:name/dead/discard", a.clearDead(a.Queues.Discard, "discarded"))
}

// Largest bodies, in bytes.
const (
	maxSettings = 64 << 10  // a filter, patterns, a list of waits
	maxNamed    = 256 << 10 // maxSeqs sequences
	maxTagged   = 1 << 20   // maxTags tags, 300 bytes each at most
)
