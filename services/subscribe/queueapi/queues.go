package queueapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// queue is the answer.
type queue struct {
	Name string `json:"name"`
	wire.QueueSettings
	counts
}

type counts struct {
	Ready        uint64 `json:"ready"`
	InFlight     int    `json:"in_flight"`
	WaitingRetry uint64 `json:"waiting_retry"`
	Dead         uint64 `json:"dead"`
	Delivered    uint64 `json:"delivered"`
	Acknowledged uint64 `json:"acknowledged"`
	Expired      uint64 `json:"expired"`
	Members      int    `json:"members"`
}

func (a *API) newQueue(q msgq.QueueInfo) queue {
	settings := wire.NewQueueSettings(q.Queue)
	if settings.Push != nil {
		settings.Push.Failing = a.Failing(q.Name)
	}
	return queue{q.Name, settings, counts{
		Ready: q.Ready, InFlight: q.InFlight, WaitingRetry: q.WaitingRetry, Dead: q.Dead,
		Delivered: q.Delivered, Acknowledged: q.Acknowledged, Expired: q.Expired, Members: q.Members,
	}}
}

type queuePage struct {
	Queues []queue `json:"queues"`
	Next   string  `json:"next,omitempty"` // the name behind which the next page begins
}

func (a *API) list(c echo.Context) error {
	limit, err := request.PageLimit(c)
	if err != nil {
		return err
	}
	next := c.QueryParam("next")
	if next != "" && msgq.ValidateQueueName(next) != nil {
		return request.Bad("next: it is not what a page before said.")
	}
	infos, more, err := a.Queues.QueuesAfter(web.Lasting(c), next, limit)
	if err != nil {
		return err
	}
	page := queuePage{Queues: make([]queue, len(infos))}
	for i, info := range infos {
		page.Queues[i] = a.newQueue(info)
	}
	if more {
		page.Next = infos[len(infos)-1].Name
	}
	return c.JSONBlob(http.StatusOK, wire.Line(page)) // > of patterns as it is
}

func (a *API) get(c echo.Context) error {
	info, err := a.Queues.QueueInfo(web.Lasting(c), c.Param("name"))
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, wire.Line(a.newQueue(info)))
}

// put takes settings, and also what get answered: the counts in it mean nothing.
func (a *API) put(c echo.Context) error {
	var asked queue
	if err := request.ReadBody(c, maxSettings, &asked, "the settings of a queue"); err != nil {
		return err
	}
	if asked.Name != "" && asked.Name != c.Param("name") {
		return request.Bad("name: it is another one than in the path; leave it out.")
	}
	q, err := asked.QueueSettings.Queue(c.Param("name"))
	if err != nil {
		return err
	}
	created, err := a.putQueue(c, q)
	if err != nil {
		return err
	}
	a.Changed(web.Lasting(c))
	info, err := a.Queues.QueueInfo(web.Lasting(c), q.Name)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return c.JSONBlob(status, wire.Line(a.newQueue(info)))
}

// putQueue creates the queue where the caller may, else changes it.
func (a *API) putQueue(c echo.Context, q msgq.Queue) (created bool, err error) {
	grant, err := a.Auth.Of(c.Request())
	if err != nil {
		return false, err
	}
	q, reason := grant.Limit(q)
	if q.Push != nil { // it reads the messages
		if err := grant.Works(q.Name); err != nil {
			return false, err
		}
	}
	created, err = a.Queues.PutQueue(web.Lasting(c), q)
	if errors.Is(err, msgq.ErrQueueNotFound) && reason != nil {
		return false, reason
	}
	return created, err
}

func (a *API) delete(c echo.Context) error {
	if err := a.Queues.DeleteQueue(web.Lasting(c), c.Param("name")); err != nil {
		return err
	}
	a.Changed(web.Lasting(c))
	return c.NoContent(http.StatusNoContent)
}

// seek starts the queue over from a position.
func (a *API) seek(c echo.Context) error {
	var asked struct {
		From json.RawMessage `json:"from"`
	}
	if err := request.ReadBody(c, maxSettings, &asked, "a position to start from"); err != nil {
		return err
	}
	if asked.From == nil || bytes.Equal(asked.From, []byte("null")) {
		return request.Bad("from: it is missing.")
	}
	from, err := wire.ParseFrom(asked.From)
	if err != nil {
		return err
	}
	if err := a.Queues.SeekQueue(web.Lasting(c), c.Param("name"), from); err != nil {
		return err
	}
	return a.get(c)
}
