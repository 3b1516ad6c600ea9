// Package connections knows who is connected to this instance, in whatever way, and
// lets administrators see and end connections.
package connections

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// Kinds of connections.
const (
	WebSocket = "websocket"
	Events    = "events"
)

// Connection is what is shown of one.
type Connection struct {
	ID            string         `json:"id"`
	Kind          string         `json:"kind"`
	Remote        string         `json:"remote"`
	Subject       string         `json:"subject,omitempty"` // of its token
	Since         time.Time      `json:"since"`
	Buffered      int            `json:"buffered"` // bytes that wait for the client
	Subscriptions []Subscription `json:"subscriptions"`
}

// Subscription is one of a connection.
type Subscription struct {
	ID       string   `json:"id"`   // the client's name for it
	Kind     string   `json:"kind"` // live or queue
	Topics   []string `json:"topics"`
	Filter   string   `json:"filter,omitempty"`
	Position *uint64  `json:"position,omitempty"` // live: everything up to here was written or waits to be
	Queue    string   `json:"queue,omitempty"`
	Credit   *int     `json:"credit,omitempty"`
}

// Conn is a connection that is listed.
type Conn interface {
	Describe() Connection
	// End closes it as a stop would: its client may come back.
	End(reason string)
}

// List has all connections. The zero value is empty.
type List struct {
	mu    sync.Mutex
	conns map[string]Conn // by id
}

// Add lists a connection until it is removed.
func (l *List) Add(id string, c Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		l.conns = make(map[string]Conn)
	}
	l.conns[id] = c
}

// Remove takes a connection out.
func (l *List) Remove(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, id)
}

// Routes adds the API, for whom admin lets through.
func (l *List) Routes(e *echo.Echo, admin echo.MiddlewareFunc) {
	e.Match(web.Reading, "/v1/connections", l.list, admin)
	e.DELETE("/v1/connections/:id", l.end, admin)
}

type page struct {
	Connections []Connection `json:"connections"`
	Next        string       `json:"next,omitempty"` // the id behind which the next page begins
}

func (l *List) list(c echo.Context) error {
	limit, err := request.PageLimit(c)
	if err != nil {
		return err
	}
	conns, more := l.after(c.QueryParam("next"), limit)
	p := page{Connections: make([]Connection, len(conns))}
	for i, conn := range conns {
		p.Connections[i] = conn.Describe()
		slices.SortFunc(p.Connections[i].Subscriptions, func(a, b Subscription) int { return strings.Compare(a.ID, b.ID) })
	}
	if more {
		p.Next = p.Connections[len(conns)-1].ID
	}
	return c.JSONBlob(http.StatusOK, wire.Line(p))
}

// after returns up to limit connections behind an id, by id.
func (l *List) after(id string, limit int) (conns []Conn, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for one := range l.conns {
		if one > id {
			ids = append(ids, one)
		}
	}
	slices.Sort(ids)
	for _, one := range ids[:min(len(ids), limit)] {
		conns = append(conns, l.conns[one])
	}
	return conns, len(ids) > limit
}

func (l *List) end(c echo.Context) error {
	l.mu.Lock()
	conn := l.conns[c.Param("id")]
	l.mu.Unlock()
	if conn == nil {
		return problem.New(http.StatusNotFound, "not_found", "No such connection here; other instances have others.")
	}
	conn.End("closed by an administrator")
	return c.NoContent(http.StatusNoContent)
}
