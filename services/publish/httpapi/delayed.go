package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

const defaultLimit, maxLimit = 100, 1000

type delayedMessage struct {
	ID              string            `json:"id"`
	Topic           string            `json:"topic"`
	DeliverAt       time.Time         `json:"deliver_at"`
	DataContentType string            `json:"datacontenttype"`
	Headers         map[string]string `json:"headers,omitempty"`
	Size            int               `json:"size"`
}

type delayedPage struct {
	Messages []delayedMessage `json:"messages"`
	Next     string           `json:"next,omitempty"`
}

// listDelayed lists in the order of publishing. The next page begins after the
// time at which the last message of this one was published: a position that
// holds although messages before it fall due.
func (a *API) listDelayed(c echo.Context, share *limit.Share) error {
	if err := share.Admit(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(web.Lasting(c), runTimeout)
	defer cancel()
	pattern := c.QueryParam("topic")
	if pattern == "" {
		pattern = ">"
	}
	grant, err := a.Auth.Of(c.Request())
	if err == nil {
		err = grant.Publishes(pattern)
	}
	if err == nil { // it may ask for what they do not have before they are due, such as seq
		err = grant.Unfiltered("the history, GET /v1/topics/{pattern}/messages, once they are due")
	}
	if err != nil {
		return err
	}
	count, after, err := paging(c)
	if err != nil {
		return err
	}
	page := delayedPage{Messages: []delayedMessage{}}
	var last time.Time
	for d, err := range a.Client.Delayed(ctx, pattern) {
		if err != nil {
			return err
		}
		if !d.Time.After(after) {
			continue
		}
		if len(page.Messages) == count {
			page.Next = strconv.FormatInt(last.UnixNano(), 36)
			break
		}
		last = d.Time
		page.Messages = append(page.Messages, delayedMessage{
			ID: d.ID, Topic: d.Topic, DeliverAt: d.DeliverAt.UTC(), DataContentType: d.DataContentType, Headers: d.Headers, Size: len(d.Data),
		})
	}
	return c.JSON(http.StatusOK, page)
}

func paging(c echo.Context) (count int, after time.Time, err error) {
	count = defaultLimit
	if text := c.QueryParam("limit"); text != "" {
		if count, err = strconv.Atoi(text); err != nil || count < 1 || count > maxLimit {
			return 0, after, badRequest("invalid_request", "limit is a number from 1 to 1000.")
		}
	}
	if text := c.QueryParam("next"); text != "" {
		nanos, err := strconv.ParseInt(text, 36, 64)
		if err != nil {
			return 0, after, badRequest("invalid_request", "next is not what a page before said.")
		}
		after = time.Unix(0, nanos)
	}
	return count, after, nil
}

// cancelDelayed takes the topic and the escaped id from the path. A CloudEvent
// is named by its source, too.
func (a *API) cancelDelayed(c echo.Context, _ *limit.Share) error {
	escapedTopic, escapedID, found := strings.Cut(strings.TrimPrefix(c.Request().URL.EscapedPath(), "/v1/delayed/"), "/")
	if !found {
		return echo.ErrNotFound
	}
	topic, err := url.PathUnescape(escapedTopic)
	if err != nil {
		return echo.ErrNotFound // cannot be: the path was parsed
	}
	id, err := url.PathUnescape(escapedID)
	if err != nil {
		return echo.ErrNotFound
	}
	if err := a.allow(c, topic); err != nil {
		return err
	}
	if err := a.Client.CancelDelayed(web.Lasting(c), topic, id, msgq.WithIDScope(c.QueryParam("source"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
