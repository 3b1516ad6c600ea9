package wsconn

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	httprequest "github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// Routes adds the connections' API.
func (h *Handler) Routes(e *echo.Echo) {
	e.Match(web.Reading, "/v1/connections", h.list, h.opts.Auth.Admin)
	e.DELETE("/v1/connections/:id", h.closeOne, h.opts.Auth.Admin)
}

type connection struct {
	ID            string             `json:"id"`
	Remote        string             `json:"remote"`
	Subject       string             `json:"subject,omitempty"` // of its token
	Since         time.Time          `json:"since"`
	Buffered      int                `json:"buffered"` // bytes that wait for the client
	Subscriptions []subscriptionInfo `json:"subscriptions"`
}

// subscriptionInfo is one subscription of a connection.
type subscriptionInfo struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // live or queue
	Topics   []string `json:"topics"`
	Filter   string   `json:"filter,omitempty"`
	Position *uint64  `json:"position,omitempty"` // live: everything up to here was written or waits to be
	Queue    string   `json:"queue,omitempty"`
	Credit   *int     `json:"credit,omitempty"`
}

type connectionPage struct {
	Connections []connection `json:"connections"`
	Next        string       `json:"next,omitempty"` // the id behind which the next page begins
}

func (h *Handler) list(c echo.Context) error {
	limit, err := httprequest.PageLimit(c)
	if err != nil {
		return err
	}
	conns, more := h.after(c.QueryParam("next"), limit)
	page := connectionPage{Connections: make([]connection, len(conns))}
	for i, conn := range conns {
		page.Connections[i] = conn.describe()
	}
	if more {
		page.Next = conns[len(conns)-1].id
	}
	return c.JSONBlob(http.StatusOK, wire.Line(page))
}

// after returns up to limit connections behind an id, by id.
func (h *Handler) after(id string, limit int) (conns []*conn, more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		if c.id > id {
			conns = append(conns, c)
		}
	}
	slices.SortFunc(conns, func(a, b *conn) int { return strings.Compare(a.id, b.id) })
	if len(conns) > limit {
		return conns[:limit], true
	}
	return conns, false
}

func (c *conn) describe() connection {
	d := connection{
		ID: c.id, Remote: c.sock.RemoteAddr().String(), Since: c.since.UTC(), Buffered: c.out.waiting(),
		Subscriptions: []subscriptionInfo{},
	}
	if grant := c.grant.Load(); grant != nil {
		d.Subject = grant.Subject
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		d.Subscriptions = append(d.Subscriptions, s.describe())
	}
	slices.SortFunc(d.Subscriptions, func(a, b subscriptionInfo) int { return strings.Compare(a.ID, b.ID) })
	return d
}

func (s *liveSub) describe() subscriptionInfo {
	pos := s.sub.Position()
	return subscriptionInfo{ID: s.id, Kind: "live", Topics: s.request.Topics, Filter: s.request.Filter, Position: &pos}
}

func (s *queueSub) describe() subscriptionInfo {
	q, credit := s.member.Queue(), int(s.credit.Load())
	return subscriptionInfo{ID: s.id, Kind: "queue", Topics: q.Topics, Filter: q.Filter, Queue: q.Name, Credit: &credit}
}

// closeOne ends a connection as a stop would: its client may come back.
func (h *Handler) closeOne(c echo.Context) error {
	h.mu.Lock()
	conn := h.conns[c.Param("id")]
	h.mu.Unlock()
	if conn == nil {
		return problem.New(http.StatusNotFound, "not_found", "No such connection here; other instances have others.")
	}
	conn.close(closeShutdown, "closed by an administrator")
	return c.NoContent(http.StatusNoContent)
}
