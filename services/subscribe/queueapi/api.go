// Package queueapi is the HTTP API that creates, shows, changes and deletes queues.
package queueapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// Queues is where queues live. *msgq.Client is one.
type Queues interface {
	Queues(ctx context.Context) ([]msgq.QueueInfo, error)
	QueueInfo(ctx context.Context, name string) (msgq.QueueInfo, error)
	PutQueue(ctx context.Context, q msgq.Queue) (created bool, err error)
	DeleteQueue(ctx context.Context, name string) error
}

// API answers for queues.
type API struct {
	Queues Queues
	// Changed is called after a queue was created, changed or deleted.
	Changed func(context.Context)
}

// Routes adds the API to e.
func (a *API) Routes(e *echo.Echo) {
	e.GET("/v1/queues", a.list)
	e.GET("/v1/queues/:name", a.get)
	e.PUT("/v1/queues/:name", a.put)
	e.DELETE("/v1/queues/:name", a.delete)
}

// queue is the answer.
type queue struct {
	Name string `json:"name"`
	wire.QueueSettings
	Ready    uint64 `json:"ready"`
	InFlight int    `json:"in_flight"`
	Dead     uint64 `json:"dead"`
}

func newQueue(q msgq.QueueInfo) queue {
	return queue{Name: q.Name, QueueSettings: wire.NewQueueSettings(q.Queue), Ready: q.Ready, InFlight: q.InFlight, Dead: q.Dead}
}

func (a *API) list(c echo.Context) error {
	infos, err := a.Queues.Queues(c.Request().Context())
	if err != nil {
		return err
	}
	queues := make([]queue, len(infos))
	for i, info := range infos {
		queues[i] = newQueue(info)
	}
	return c.JSON(http.StatusOK, map[string]any{"queues": queues})
}

func (a *API) get(c echo.Context) error {
	info, err := a.Queues.QueueInfo(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newQueue(info))
}

// maxBody bounds a queue's settings: a filter, patterns, a list of waits.
const maxBody = 64 << 10

func (a *API) put(c echo.Context) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	if err != nil {
		return fmt.Errorf("read the queue's settings: %w", err)
	}
	var settings wire.QueueSettings
	if err := json.Unmarshal(body, &settings); err != nil {
		return problem.New(http.StatusBadRequest, "invalid_request", "The body is not the settings of a queue: "+wire.Explain(err)+".")
	}
	q, err := settings.Queue(c.Param("name"))
	if err != nil {
		return err
	}
	if err := checkPush(q.Push); err != nil {
		return err
	}
	created, err := a.Queues.PutQueue(c.Request().Context(), q)
	if err != nil {
		return err
	}
	a.Changed(c.Request().Context())
	info, err := a.Queues.QueueInfo(c.Request().Context(), q.Name)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return c.JSON(status, newQueue(info))
}

func checkPush(p *msgq.Push) error {
	if p == nil {
		return nil
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return problem.New(http.StatusBadRequest, "invalid_request", "push.url: an http or https URL is expected.")
	}
	return nil
}

func (a *API) delete(c echo.Context) error {
	if err := a.Queues.DeleteQueue(c.Request().Context(), c.Param("name")); err != nil {
		return err
	}
	a.Changed(c.Request().Context())
	return c.NoContent(http.StatusNoContent)
}
