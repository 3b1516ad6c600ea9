// Package wire is how messages, positions and settings look as JSON, alike on
// WebSocket, webhooks and the HTTP API.
package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/mediatype"
	"github.com/asyncmsglib/msgq/services/internal/rawjson"
)

// Message is one message as a client sees it. Type, ID, Tag and Attempt are the
// delivery's; without them it is a message of a history.
type Message struct {
	Type            string            `json:"type,omitempty"`
	ID              string            `json:"id,omitempty"` // of the subscription
	Seq             uint64            `json:"seq"`
	Topic           string            `json:"topic"`
	Time            time.Time         `json:"time"`
	MessageID       string            `json:"message_id"`
	Headers         map[string]string `json:"headers,omitempty"`
	DataContentType string            `json:"datacontenttype"`
	Data            json.RawMessage   `json:"data,omitempty"`        // JSON, or text as a string
	DataBase64      *string           `json:"data_base64,omitempty"` // anything else
	Tag             string            `json:"tag,omitempty"`
	Attempt         int               `json:"attempt,omitempty"`
}

// NewMessage converts a message of the library.
func NewMessage(m *msgq.Message) *Message {
	w := &Message{
		Seq: m.Seq, Topic: m.Topic, Time: m.Time.UTC(), MessageID: m.ID, Headers: m.Headers, DataContentType: m.DataContentType,
	}
	switch form := formOf(m); {
	case form == asJSON && rawjson.Check(m.Data) == nil:
		w.Data = m.Data
	case form == asText && utf8.Valid(m.Data):
		w.Data = Line(string(m.Data))
	default:
		encoded := base64.StdEncoding.EncodeToString(m.Data)
		w.DataBase64 = &encoded
	}
	return w
}

// form is how data is shown, if it is what its content type says; else it is asBase64.
type form int

const (
	asBase64 form = iota
	asJSON
	asText
)

func formOf(m *msgq.Message) form {
	if m.DataContentType == msgq.DefaultContentType {
		return asBase64
	}
	media := mediatype.Of(m.DataContentType)
	switch {
	case media == mediatype.JSON || strings.HasSuffix(media, "+json"):
		return asJSON
	case strings.HasPrefix(media, "text/"):
		return asText
	}
	return asBase64
}

// Line is v as one line of JSON: raw messages in it are compacted, < > & are left as they are.
func Line(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("wire: %T: %v", v, err)) // only types of this program, with valid raw messages, come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
