// Package topicapi is the HTTP API for what the stream holds: topics, their
// history, and whether a filter would match.
package topicapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
)

// Store is where messages are. *msgq.Client is one, whose methods these are.
type Store interface {
	Topics(ctx context.Context, pattern, after string, limit int) ([]msgq.TopicInfo, error)
	Read(ctx context.Context, l msgq.Live, limit int) (msgq.Page, error)
	Delete(ctx context.Context, seq uint64) error
	NewEpoch(ctx context.Context) (string, error)
}

// API answers for topics and messages.
type API struct {
	Store Store
	Auth  *auth.Verifier
}

// Routes adds the API to e. The wildcard makes a pattern with a slash an invalid
// pattern and not an unknown path.
func (a *API) Routes(e *echo.Echo) {
	e.Match(web.Reading, "/v1/topics", a.topics)
	e.Match(web.Reading, "/v1/topics/*", a.history)
	e.DELETE("/v1/messages/:seq", a.delete, a.Auth.Admin)
	e.POST("/v1/epoch", a.newEpoch, a.Auth.Admin)
	e.POST("/v1/filters/check", checkFilter)
}

type topic struct {
	Topic    string `json:"topic"`
	Messages uint64 `json:"messages"`
	LastSeq  uint64 `json:"last_seq"`
}

type topicPage struct {
	Topics []topic `json:"topics"`
	Next   string  `json:"next,omitempty"`
}

// topics lists by name; the next page begins behind the last name of this one.
func (a *API) topics(c echo.Context) error {
	pattern := c.QueryParam("pattern")
	if pattern == "" {
		pattern = ">"
	}
	grant, err := a.Auth.Of(c.Request())
	if err == nil {
		err = grant.Subscribes(pattern)
	}
	if err == nil { // to count what a filter lets through, every message would have to be read
		err = grant.Unfiltered("the history, GET /v1/topics/{pattern}/messages")
	}
	if err != nil {
		return err
	}
	limit, err := request.PageLimit(c)
	if err != nil {
		return err
	}
	infos, err := a.Store.Topics(web.Lasting(c), pattern, c.QueryParam("next"), limit)
	if err != nil {
		return err
	}
	page := topicPage{Topics: make([]topic, len(infos))}
	for i, info := range infos {
		page.Topics[i] = topic(info)
	}
	if len(infos) == limit {
		page.Next = infos[limit-1].Topic
	}
	return c.JSON(http.StatusOK, page)
}

func (a *API) delete(c echo.Context) error {
	seq, err := strconv.ParseUint(c.Param("seq"), 10, 64)
	if err != nil {
		return request.Bad("The sequence of a message is a whole number.")
	}
	if err := a.Store.Delete(web.Lasting(c), seq); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) newEpoch(c echo.Context) error {
	epoch, err := a.Store.NewEpoch(web.Lasting(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"epoch": epoch})
}

// patternOf takes the pattern from /v1/topics/{pattern}/messages.
func patternOf(u *url.URL) (string, bool) {
	return strings.CutSuffix(strings.TrimPrefix(u.Path, "/v1/topics/"), "/messages")
}
