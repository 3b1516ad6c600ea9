package topicapi

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

type historyPage struct {
	Messages []*wire.Message `json:"messages"`
	// Epoch and Seq are where a live subscription goes on.
	Epoch     string `json:"epoch"`
	Seq       uint64 `json:"seq"`
	Recovered bool   `json:"recovered"`
	Next      string `json:"next,omitempty"`
}

// history reads oldest first, from the oldest message held unless from says otherwise.
func (a *API) history(c echo.Context) error {
	pattern, ok := patternOf(c.Request().URL)
	if !ok {
		return echo.ErrNotFound
	}
	filter, err := a.narrow(c, pattern)
	if err != nil {
		return err
	}
	limit, err := request.PageLimit(c)
	if err != nil {
		return err
	}
	from, err := startOf(c)
	if err != nil {
		return err
	}
	found, err := a.Store.Read(web.Lasting(c), msgq.Live{Topics: []string{pattern}, Filter: filter, From: from}, limit)
	if err != nil {
		return err
	}
	page := historyPage{
		Messages: make([]*wire.Message, len(found.Messages)), Epoch: found.Position.Epoch, Seq: found.Position.Seq, Recovered: found.Recovered,
	}
	for i, m := range found.Messages {
		page.Messages[i] = wire.NewMessage(m)
	}
	if found.More {
		page.Next = wire.PositionText(found.Position)
	}
	return c.JSONBlob(http.StatusOK, wire.Line(page))
}

// narrow is the filter asked for, as far as the caller may see.
func (a *API) narrow(c echo.Context, pattern string) (string, error) {
	grant, err := a.Auth.Of(c.Request())
	if err != nil {
		return "", err
	}
	if err := grant.Subscribes(pattern); err != nil {
		return "", err
	}
	return grant.Narrow(c.QueryParam("filter"))
}

// startOf is where a page before ended, or else from.
func startOf(c echo.Context) (msgq.From, error) {
	if next := c.QueryParam("next"); next != "" {
		pos, err := wire.ParsePosition(next)
		if err != nil {
			return msgq.From{}, fmt.Errorf("next: %w", err)
		}
		return msgq.After(pos), nil
	}
	text := c.QueryParam("from")
	if text == "" {
		return msgq.FromAll(), nil
	}
	raw, err := wire.FromText(text)
	if err != nil {
		return msgq.From{}, err
	}
	return wire.ParseFrom(raw)
}
