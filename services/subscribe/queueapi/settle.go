package queueapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// maxTags is how many deliveries one request settles, maxDelay the longest that a nack asks for.
const (
	maxTags  = 1000
	maxDelay = 24 * time.Hour
)

// settleRequest has the fields of ack, nack and reject; those that one does not have are refused.
type settleRequest struct {
	Tags   []string       `json:"tags"`
	Delay  *wire.Duration `json:"delay"`  // nack
	Reason *string        `json:"reason"` // nack, reject
}

type settled struct {
	Count   int            `json:"count"`
	Results []settleResult `json:"results"`
}

// settleResult is what became of one tag, in the order of the request.
type settleResult struct {
	Tag    string `json:"tag"`
	Status int    `json:"status"`
	Error  any    `json:"error,omitempty"`
}

func (a *API) ack(c echo.Context) error {
	return a.settle(c, func(r settleRequest) (msgq.Settlement, error) {
		if r.Delay != nil || r.Reason != nil {
			return msgq.Settlement{}, request.Bad("delay and reason are fields of a nack, not of an ack.")
		}
		return msgq.Acked(), nil
	})
}

func (a *API) nack(c echo.Context) error {
	return a.settle(c, func(r settleRequest) (msgq.Settlement, error) {
		reason := reasonOr(r.Reason, "nack")
		if r.Delay == nil {
			return msgq.Nacked(reason), nil
		}
		delay := time.Duration(*r.Delay)
		if delay < 0 || delay > maxDelay {
			return msgq.Settlement{}, request.Bad(fmt.Sprintf("delay: %s, 0s to %s are allowed.", delay, maxDelay))
		}
		return msgq.NackedAfter(delay, reason), nil
	})
}

func (a *API) reject(c echo.Context) error {
	return a.settle(c, func(r settleRequest) (msgq.Settlement, error) {
		if r.Delay != nil {
			return msgq.Settlement{}, request.Bad("delay is a field of a nack, not of a reject.")
		}
		return msgq.Rejected(reasonOr(r.Reason, "rejected")), nil
	})
}

func reasonOr(reason *string, otherwise string) string {
	if reason == nil || *reason == "" {
		return otherwise
	}
	return *reason
}

// settle answers 200 with a result for each tag, unless none could be tried.
func (a *API) settle(c echo.Context, how func(settleRequest) (msgq.Settlement, error)) error {
	var asked settleRequest
	if err := request.ReadBody(c, maxTagged, &asked, "a list of tags"); err != nil {
		return err
	}
	if len(asked.Tags) < 1 || len(asked.Tags) > maxTags {
		return request.Bad(fmt.Sprintf("tags: %d, 1 to %d are allowed.", len(asked.Tags), maxTags))
	}
	settlement, err := how(asked)
	if err != nil {
		return err
	}
	errs, err := a.Queues.Settle(web.Lasting(c), c.Param("name"), asked.Tags, settlement)
	if err != nil {
		return err
	}
	answer := settled{Results: make([]settleResult, len(errs))}
	for i, err := range errs {
		result := settleResult{Tag: asked.Tags[i], Status: http.StatusOK}
		if err != nil {
			p := problem.Of(err)
			result.Status, result.Error = p.Status, p.Details("")
		} else {
			answer.Count++
		}
		answer.Results[i] = result
	}
	return c.JSON(http.StatusOK, answer)
}
