package httpapi

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/rawjson"
	"github.com/asyncmsglib/msgq/services/publish/cloudevents"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

// The headers' message m is completed by an event, whose own attributes come first.

func (a *API) readBinary(c echo.Context, share *limit.Share, m *msgq.Message, opts []msgq.PublishOption) ([]msgq.PublishOption, error) {
	data, err := a.readBody(c, share, a.maxData())
	if err != nil {
		return nil, err
	}
	e, err := cloudevents.Binary(c.Request().Header, data)
	if err != nil {
		return nil, badRequest("invalid_request", err.Error())
	}
	return a.fromEvent(e, m, opts)
}

func (a *API) readStructured(c echo.Context, share *limit.Share, m *msgq.Message, opts []msgq.PublishOption) ([]msgq.PublishOption, error) {
	text, err := a.readBody(c, share, maxText(a.maxData()))
	if err != nil {
		return nil, err
	}
	if err := rawjson.Check(text); err != nil {
		return nil, badRequest("invalid_json", fmt.Sprintf("The CloudEvent is no JSON (%v).", err))
	}
	return a.fromStructured(text, m, opts)
}

// publishEvents stores a batch of events; m and opts, from the headers, are each one's.
func (a *API) publishEvents(c echo.Context, share *limit.Share, m msgq.Message, opts []msgq.PublishOption) error {
	if m.ID != "" {
		return badRequest("invalid_id", "Each CloudEvent brings its own id; leave out the Idempotency-Key.")
	}
	grant, err := a.Auth.Of(c.Request())
	if err != nil {
		return err
	}
	return a.runBatch(c, share, true, func(text jsontext.Value) (msgq.BatchItem, error) {
		if grant.Expired(time.Now()) { // a batch may take its time
			return msgq.BatchItem{}, auth.ErrExpired
		}
		one := m
		one.Headers = maps.Clone(m.Headers)
		all, err := a.fromStructured(text, &one, opts)
		return msgq.BatchItem{Message: one, Options: all}, err
	})
}

func (a *API) fromStructured(text []byte, m *msgq.Message, opts []msgq.PublishOption) ([]msgq.PublishOption, error) {
	e, err := cloudevents.Structured(text)
	if err != nil {
		return nil, badRequest("invalid_request", err.Error())
	}
	return a.fromEvent(e, m, opts)
}

func (a *API) fromEvent(e cloudevents.Event, m *msgq.Message, opts []msgq.PublishOption) ([]msgq.PublishOption, error) {
	event := e.Message(m.Topic)
	if m.ID != "" && m.ID != event.ID {
		return nil, badRequest("invalid_id", "The Idempotency-Key is not the CloudEvent's id.")
	}
	for name, value := range m.Headers {
		if _, ok := event.Headers[name]; !ok {
			event.Headers[name] = value
		}
	}
	*m = event
	if err := a.checkData(m); err != nil {
		return nil, err
	}
	return append(slices.Clip(opts), msgq.WithIDScope(e.Source())), nil
}

// checkData looks at data that came inside of JSON.
func (a *API) checkData(m *msgq.Message) error {
	if limit := a.maxData(); int64(len(m.Data)) > limit {
		return tooLarge(limit)
	}
	return checkJSON(m.DataContentType, m.Data)
}
