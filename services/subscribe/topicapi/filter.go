package topicapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// maxCheck is the largest body, in bytes: a filter and a message.
const maxCheck = 2 << 20

// checkRequest has a filter and maybe a message, as a client receives it: what it
// has beside these fields does not matter.
type checkRequest struct {
	Filter  string           `json:"filter"`
	Message *json.RawMessage `json:"message"` // null is as good as absent
}

type checkedMessage struct {
	Topic           string            `json:"topic"`
	MessageID       string            `json:"message_id"`
	ID              string            `json:"id"` // as filters call it; beside a message_id it is the subscription's
	Seq             uint64            `json:"seq"`
	Time            time.Time         `json:"time"`
	Headers         map[string]string `json:"headers"`
	DataContentType string            `json:"datacontenttype"` // application/json where it is left out
	Data            json.RawMessage   `json:"data"`
	DataBase64      []byte            `json:"data_base64"`
}

type checkAnswer struct {
	OK      bool         `json:"ok"`
	Matches *bool        `json:"matches,omitempty"`
	Error   *filterError `json:"error,omitempty"`
}

type filterError struct {
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Hint    string `json:"hint,omitempty"`
}

// checkFilter answers 200 for a wrong filter, too: the question was a right one.
func checkFilter(c echo.Context) error {
	var r checkRequest
	if err := request.ReadBody(c, maxCheck, &r, "a filter to check"); err != nil {
		return err
	}
	f, err := filter.Compile(r.Filter)
	if wrong, ok := errors.AsType[*filter.Error](err); ok {
		return c.JSON(http.StatusOK, checkAnswer{Error: &filterError{wrong.Message, wrong.Line, wrong.Column, wrong.Hint}})
	}
	if err != nil {
		return err
	}
	answer := checkAnswer{OK: true}
	if r.Message != nil {
		var m checkedMessage
		if err := wire.Unmarshal(*r.Message, &m); err != nil {
			return request.Bad("message: it is none: " + wire.Explain(err) + ".")
		}
		matches := f.Match(m.event())
		answer.Matches = &matches
	}
	return c.JSON(http.StatusOK, answer)
}

func (m checkedMessage) event() *filter.Event {
	e := &filter.Event{
		Topic: m.Topic, ID: cmp.Or(m.MessageID, m.ID), Seq: m.Seq, Time: m.Time, Headers: m.Headers,
		DataContentType: m.DataContentType, Data: m.DataBase64,
	}
	if e.DataContentType == "" {
		e.DataContentType = "application/json"
	}
	if m.Data != nil {
		e.Data = m.Data
	}
	return e
}
