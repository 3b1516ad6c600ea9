package queueapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

const (
	maxPull    = 1000
	undelivery = 5 * time.Second // for giving back what the client did not get
)

type pullRequest struct {
	Max  *int          `json:"max"`
	Wait wire.Duration `json:"wait"`
}

type pulled struct {
	Messages []*wire.Message `json:"messages"`
}

// pull waits for messages until there are some, the wait is over, the client goes
// away or the service stops. What the client could not be told of goes to others.
func (a *API) pull(c echo.Context) error {
	asked := pullRequest{}
	if err := request.ReadOptional(c, maxSettings, &asked, "a request to pull"); err != nil {
		return err
	}
	most := 1
	if asked.Max != nil {
		most = *asked.Max
	}
	if most < 1 || most > maxPull {
		return request.Bad(fmt.Sprintf("max: %d, 1 to %d are allowed.", most, maxPull))
	}
	wait := time.Duration(asked.Wait)
	if wait < 0 || wait > msgq.MaxPullWait {
		return request.Bad(fmt.Sprintf("wait: %s, 0s to %s are allowed.", wait, msgq.MaxPullWait))
	}
	grant, err := a.Auth.Of(c.Request())
	if err != nil {
		return err
	}
	ctx, cancel := grant.Context(c.Request().Context())
	defer cancel()
	defer context.AfterFunc(a.Stopping, cancel)()

	got, err := a.Queues.Pull(ctx, c.Param("name"), most, wait)
	switch {
	case errors.Is(err, context.Canceled), grant.Expired(time.Now()) && errors.Is(err, context.DeadlineExceeded):
		got = nil // nothing came until the service stops or the client leaves; it asks again, another instance or with another token
	case err != nil:
		return err
	}
	answer := pulled{Messages: make([]*wire.Message, len(got))}
	for i, p := range got {
		m := wire.NewMessage(p.Message)
		m.Tag, m.Attempt = p.Tag, p.Attempt
		answer.Messages[i] = m
	}
	err = c.JSONBlob(http.StatusOK, wire.Line(answer))
	if err == nil {
		err = c.Request().Context().Err()
	}
	if err != nil {
		a.giveBack(c, got)
	}
	return err
}

func (a *API) giveBack(c echo.Context, got []msgq.Pulled) {
	if len(got) == 0 {
		return
	}
	tags := make([]string, len(got))
	for i, p := range got {
		tags[i] = p.Tag
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), undelivery)
	defer cancel()
	// Where this fails they come again after the ack wait.
	_, _ = a.Queues.Settle(ctx, c.Param("name"), tags, msgq.NackedAfter(0, "the client that pulled it went away"))
}
