package httpapi

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/rawjson"
	"github.com/asyncmsglib/msgq/services/publish/cloudevents"
)

// batchItem is one message of a batch.
type batchItem struct {
	Topic           string            `json:"topic"`
	ID              *string           `json:"id"`
	Data            jsontext.Value    `json:"data"`
	DataBase64      *[]byte           `json:"data_base64"`
	DataContentType string            `json:"datacontenttype"`
	Headers         map[string]string `json:"headers"`
	Delay           *string           `json:"delay"`
	DeliverAt       *string           `json:"deliver_at"`
	TTL             *string           `json:"ttl"`
}

// parseItem refuses members that it does not know: a delay that is misspelt
// would be delivered at once.
func (a *API) parseItem(text jsontext.Value) (msgq.BatchItem, error) {
	if !utf8.Valid(text) {
		return msgq.BatchItem{}, badRequest("invalid_json", "The message is not UTF-8.")
	}
	item, err := readItem(text)
	if err != nil {
		return msgq.BatchItem{}, badRequest("invalid_request", explain(err))
	}
	m := msgq.Message{Topic: item.Topic, DataContentType: item.DataContentType, Headers: item.Headers}
	switch {
	case item.ID != nil && *item.ID == "":
		return msgq.BatchItem{}, badRequest("invalid_id", "The id is empty; leave it out for a fresh one.")
	case item.ID != nil:
		m.ID = *item.ID
	}
	switch {
	case (item.Data != nil) == (item.DataBase64 != nil):
		return msgq.BatchItem{}, badRequest("invalid_request", "One of data and data_base64 is expected.")
	case item.DataBase64 != nil:
		m.Data = *item.DataBase64
	default:
		if m.DataContentType == "" {
			m.DataContentType = "application/json"
		}
		if m.Data, err = cloudevents.Data(m.DataContentType, item.Data); err != nil {
			return msgq.BatchItem{}, badRequest("invalid_request", "The data is text with half a surrogate pair.")
		}
	}
	if err := a.checkData(&m); err != nil {
		return msgq.BatchItem{}, err
	}
	opts, err := publishOptions(item.Delay, item.DeliverAt, item.TTL)
	return msgq.BatchItem{Message: m, Options: opts}, err
}

// readItem is strict, but not with the data: that is whatever a body alone may be.
func readItem(text jsontext.Value) (item batchItem, err error) {
	strict := json.RejectUnknownMembers(true)
	if err = json.Unmarshal(text, &item, strict); err == nil {
		return item, nil
	}
	members, other := rawjson.Members(text)
	data := members["data"]
	if other != nil || data == nil {
		return item, err
	}
	delete(members, "data")
	rest, other := json.Marshal(members)
	if other != nil {
		return item, err // which the rest has, too
	}
	item = batchItem{}
	err = json.Unmarshal(rest, &item, strict)
	item.Data = data
	return item, err
}

// explain says in a client's words why an item could not be read: the library's own text names Go's types.
func explain(err error) string {
	wrong, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return "The message is not a JSON object, or has a member twice, or text with half a surrogate pair."
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Sprintf("The message has a member %.100q, which is unknown.", wrong.JSONPointer.LastToken())
	case wrong.JSONPointer == "":
		return "The message is not a JSON object."
	}
	return fmt.Sprintf("The member %.100s of the message is not what is expected there.", wrong.JSONPointer)
}
