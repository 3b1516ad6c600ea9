package httpapi

import (
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/mediatype"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/cloudevents"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

// publish stores one message: the body, or a CloudEvent in any of its modes.
func (a *API) publish(c echo.Context, share *limit.Share) error {
	topic, err := topicOf(c)
	if err != nil {
		return err
	}
	if err := a.allow(c, topic); err != nil {
		return err
	}
	m, opts, err := readHeaders(c.Request().Header)
	if err != nil {
		return err
	}
	m.Topic = topic
	switch media := mediatype.Of(m.DataContentType); {
	case media == cloudevents.MediaTypeBatch:
		return a.publishEvents(c, share, m, opts)
	case media == cloudevents.MediaType:
		opts, err = a.readStructured(c, share, &m, opts)
	case strings.HasPrefix(media, "application/cloudevents"):
		err = badRequest("invalid_request", "A CloudEvent in another format than JSON is not understood.")
	case cloudevents.IsBinary(c.Request().Header):
		opts, err = a.readBinary(c, share, &m, opts)
	default:
		if m.Data, err = a.readBody(c, share, a.maxData()); err == nil {
			err = checkJSON(m.DataContentType, m.Data)
		}
	}
	if err != nil {
		return err
	}
	r, err := a.Client.Publish(web.Lasting(c), m, opts...)
	if err != nil {
		return uncertain(err)
	}
	return sendReceipt(c, r)
}

// topicOf reads the topic before the body is read. The path is the escaped
// one: a slash that is part of the topic must not look like the path's own.
func topicOf(c echo.Context) (string, error) {
	path := strings.TrimPrefix(c.Request().URL.EscapedPath(), "/v1/topics/")
	escaped, found := strings.CutSuffix(path, "/messages")
	if !found && path != "messages" { // "messages" alone: the topic is empty
		return "", echo.ErrNotFound
	}
	if !found {
		escaped = ""
	}
	topic, err := url.PathUnescape(escaped)
	if err != nil {
		return "", echo.ErrNotFound // cannot be: the path was parsed
	}
	return topic, msgq.ValidateTopic(topic)
}
