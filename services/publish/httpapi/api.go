// Package httpapi is the publish service's HTTP API: it turns requests into
// messages, and errors into problem details.
package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// Publisher stores messages. *msgq.Client is one.
type Publisher interface {
	// Publish returns once the message is on disk.
	Publish(ctx context.Context, m msgq.Message, opts ...msgq.PublishOption) (msgq.Receipt, error)
	// MaxData is how much data a message can have, 0 if that is not known yet.
	MaxData() int64
}

// API publishes what is POSTed.
type API struct {
	Client  Publisher
	MaxBody int64 // bytes of data in one message
}

// Routes adds the API to e.
func (a *API) Routes(e *echo.Echo) {
	// A wildcard, so that a topic with a slash is an invalid topic and not an unknown path.
	e.POST("/v1/topics/*", a.publish)
}

// receipt is the answer to a publish.
type receipt struct {
	ID        string `json:"id"`
	Topic     string `json:"topic"`
	Seq       uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
}

func (a *API) publish(c echo.Context) error {
	topic, found := strings.CutSuffix(c.Param("*"), "/messages")
	if !found && c.Param("*") != "messages" { // "messages" alone: the topic is empty
		return echo.ErrNotFound
	}
	if err := msgq.ValidateTopic(topic); err != nil { // before the body is read
		return err
	}
	m, opts, err := readHeaders(c.Request().Header)
	if err != nil {
		return err
	}
	m.Topic = topic
	if m.Data, err = a.readBody(c, m.DataContentType); err != nil {
		return err
	}
	r, err := a.Client.Publish(c.Request().Context(), m, opts...)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if r.Duplicate {
		status = http.StatusOK
	}
	return c.JSON(status, receipt{ID: r.ID, Topic: r.Topic, Seq: r.Seq, Duplicate: r.Duplicate})
}

func badRequest(code, detail string) error {
	return problem.New(http.StatusBadRequest, code, detail)
}
