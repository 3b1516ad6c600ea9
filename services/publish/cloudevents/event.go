// Package cloudevents reads CloudEvents 1.0 from HTTP, as its HTTP binding and
// JSON format say: https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents
package cloudevents

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/mediatype"
)

// Media types of an event and of a batch.
const (
	MediaType      = "application/cloudevents+json"
	MediaTypeBatch = "application/cloudevents-batch+json"
)

// ErrInvalid is returned for what is not a CloudEvent. Its text is for the client.
var ErrInvalid = errors.New("not a CloudEvent")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// Event is a CloudEvent. Attributes are all but datacontenttype, as text.
type Event struct {
	Attributes      map[string]string
	DataContentType string
	Data            []byte
}

// Message is the event on a topic: id is its id, and each attribute a header ce-NAME.
func (e Event) Message(topic string) msgq.Message {
	headers := make(map[string]string, len(e.Attributes))
	for name, value := range e.Attributes {
		headers["ce-"+name] = value
	}
	return msgq.Message{ID: e.Attributes["id"], Topic: topic, Headers: headers, DataContentType: e.DataContentType, Data: e.Data}
}

// Source is what its id is scoped to.
func (e Event) Source() string { return e.Attributes["source"] }

// check holds the attributes against section "Context Attributes" of the specification.
func (e Event) check() error {
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if e.Attributes[name] == "" {
			return invalid("the attribute %s is missing or empty", name)
		}
	}
	if v := e.Attributes["specversion"]; v != "1.0" {
		return invalid("specversion is %.100q, 1.0 is understood", v)
	}
	for name, value := range e.Attributes {
		if !isName(name) {
			return invalid("the attribute name %.100q is not of a-z 0-9", name)
		}
		if err := checkValue(name, value); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(name, value string) error {
	switch name {
	case "subject", "dataschema":
		if value == "" {
			return invalid("the attribute %s is empty", name)
		}
	case "time":
		if err := new(time.Time).UnmarshalText([]byte(strings.ToUpper(value))); err != nil { // as RFC 3339, section 5.6
			return invalid("time is %.100q, a time such as 2026-01-02T15:04:05Z is expected", value)
		}
	}
	if name == "source" || name == "dataschema" {
		u, err := url.Parse(value)
		if err != nil || name == "dataschema" && !u.IsAbs() {
			return invalid("%s is %.100q, a URI is expected", name, value)
		}
	}
	return nil
}

func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// IsJSON reports whether the content type declares JSON.
func IsJSON(contentType string) bool {
	media := mediatype.Of(contentType)
	return media == mediatype.JSON || media == "text/json" || strings.HasSuffix(media, "+json")
}
