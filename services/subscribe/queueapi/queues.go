package queueapi

import (
	"net/http"
	"net/url"
	"sort"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
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
	Ready    uint64 `json:"ready"`
	InFlight int    `json:"in_flight"`
	Dead     uint64 `json:"dead"`
}

func newQueue(q msgq.QueueInfo) queue {
	return queue{q.Name, wire.NewQueueSettings(q.Queue), counts{
		Ready: q.Ready, InFlight: q.InFlight, Dead: q.Dead,
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
	infos, err := a.Queues.Queues(c.Request().Context())
	if err != nil {
		return err
	}
	infos = infos[sort.Search(len(infos), func(i int) bool { return infos[i].Name > next }):]
	page := queuePage{Queues: []queue{}}
	for _, info := range infos[:min(limit, len(infos))] {
		page.Queues = append(page.Queues, newQueue(info))
	}
	if len(infos) > limit {
		page.Next = infos[limit-1].Name
	}
	return c.JSON(http.StatusOK, page)
}

func (a *API) get(c echo.Context) error {
	info, err := a.Queues.QueueInfo(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newQueue(info))
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
		return request.Bad("push.url: an http or https URL is expected.")
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
