package queueapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// deadLetter is a message that a queue gave up on. Its seq is the one it was
// published with, and what redrive and discard take.
type deadLetter struct {
	*wire.Message
	Attempts int       `json:"attempts"`
	Redriven int       `json:"redriven"` // how often before
	Reason   string    `json:"reason"`
	FirstAt  time.Time `json:"first_at"`
	DeadAt   time.Time `json:"dead_at"`
}

func newDeadLetter(d *msgq.DeadLetter) deadLetter {
	return deadLetter{
		Message: wire.NewMessage(&d.Message), Attempts: d.Attempts, Redriven: d.Round, Reason: d.Reason,
		FirstAt: d.FirstAt.UTC(), DeadAt: d.DeadAt.UTC(),
	}
}

type deadPage struct {
	DeadLetters []deadLetter `json:"dead_letters"`
	Next        string       `json:"next,omitempty"` // the dead letter's own sequence behind which the next page begins
}

// pageBytes ends a page before its limit: messages may have a megabyte each.
const pageBytes = 4 << 20

func (a *API) listDead(c echo.Context) error {
	ctx, name := c.Request().Context(), c.Param("name")
	limit, err := request.PageLimit(c)
	if err != nil {
		return err
	}
	opts := []msgq.DeadLettersOption{msgq.DeadMatching(c.QueryParam("filter")), msgq.DeadLimit(limit + 1)}
	if text := c.QueryParam("next"); text != "" {
		after, err := strconv.ParseUint(text, 36, 63)
		if err != nil {
			return request.Bad("next: it is not what a page before said.")
		}
		opts = append(opts, msgq.DeadAfter(after))
	}
	if _, err := a.Queues.QueueInfo(ctx, name); err != nil {
		return err
	}
	page := deadPage{DeadLetters: []deadLetter{}}
	var last uint64
	size := 0
	for d, err := range a.Queues.DeadLetters(ctx, name, opts...) {
		if err != nil {
			return err
		}
		if len(page.DeadLetters) == limit || size > pageBytes {
			page.Next = strconv.FormatUint(last, 36)
			break
		}
		page.DeadLetters = append(page.DeadLetters, newDeadLetter(&d))
		last, size = d.DeadSeq, size+len(d.Data)
	}
	return c.JSONBlob(http.StatusOK, wire.Line(page)) // data as it was published, < > & too
}
