package msgq

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one event.
type Message struct {
	// ID names the message on its topic: 1 to 256 visible ASCII characters.
	// Empty on publish: a fresh one is made and no duplicate is looked for.
	ID string
	// Topic is where it was published, see [ValidateTopic].
	Topic string
	// Headers are the publisher's: at most 64, names of [a-z0-9-], together at most 16 KiB. A traceparent and a
	// tracestate of at most 512 bytes do not count.
	Headers map[string]string
	// DataContentType is the media type of Data. Empty on publish: application/octet-stream.
	DataContentType string
	// Data is the payload. It is shared between readers: do not change it.
	Data []byte
	// Time is when the broker stored it. Ignored on publish.
	Time time.Time
	// Seq is its sequence in the stream: it grows and is never used again. Ignored on publish.
	Seq uint64

	expires time.Time // zero: not before the stream's retention
}

// Limits of what a publisher may set.
const (
	MaxIDLength    = 256
	MaxHeaders     = 64
	MaxHeaderBytes = 16 << 10 // names and values together
)

// DefaultContentType is what a message without a media type is taken for.
const DefaultContentType = "application/octet-stream"

// Stored headers. A publisher's own header stands behind headerPrefix, so no
// text of his can become a header that the broker acts on.
const (
	headerID          = "Msgq-Id"
	headerContentType = "Msgq-Content-Type"
	headerPrefix      = "Msgq-Header-"
	headerQuoted      = "Msgq-Quoted-" // and quotes around the value, for blanks at its ends
)

func (m *Message) validate() error {
	if err := ValidateTopic(m.Topic); err != nil {
		return err
	}
	if m.ID != "" {
		if err := validateID(m.ID); err != nil {
			return err
		}
	}
	if !isHeaderValue(m.DataContentType) || len(m.DataContentType) > 1024 {
		return fmt.Errorf("%w: the content type is longer than 1024 bytes or has a control character or is not UTF-8", ErrInvalidHeader)
	}
	return validateHeaders(m.Headers)
}

func validateID(id string) error {
	if id == "" || len(id) > MaxIDLength {
		return fmt.Errorf("%w: %d characters, 1 to %d are allowed", ErrInvalidID, len(id), MaxIDLength)
	}
	for i, c := range []byte(id) {
		if c < 0x21 || c > 0x7e {
			return fmt.Errorf("%w: character %d is not visible ASCII", ErrInvalidID, i+1)
		}
	}
	return nil
}

func validateHeaders(headers map[string]string) error {
	count, size := 0, 0
	for name, value := range headers {
		if !isTraceContext(name, value) {
			count++
			size += len(name) + len(value)
		}
		switch {
		case !isHeaderName(name):
			return fmt.Errorf("%w: name %.100q is not of a-z 0-9 -", ErrInvalidHeader, name)
		case strings.HasPrefix(name, "nats-"), strings.HasPrefix(name, "msgq-"):
			return fmt.Errorf("%w: name %.100q begins with a reserved nats- or msgq-", ErrInvalidHeader, name)
		case !isHeaderValue(value):
			return fmt.Errorf("%w: the value of %.100q has a control character or is not UTF-8", ErrInvalidHeader, name)
		}
	}
	if count > MaxHeaders {
		return fmt.Errorf("%w: %d headers, at most %d are allowed", ErrInvalidHeader, count, MaxHeaders)
	}
	if size > MaxHeaderBytes {
		return fmt.Errorf("%w: %d bytes in all, at most %d are allowed", ErrInvalidHeader, size, MaxHeaderBytes)
	}
	return nil
}

// isTraceContext tells headers that do not count: whoever traces a request adds them to what its author wrote.
func isTraceContext(name, value string) bool {
	return (name == "traceparent" || name == "tracestate") && len(value) <= 512
}

func isHeaderName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// isHeaderValue refuses what could end a header line, is invisible, or could not be sent on as text.
func isHeaderValue(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 0x20 && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// encode makes the message to store; the caller sets the broker's own headers.
func (m *Message) encode(subject string) *nats.Msg {
	h := make(nats.Header, len(m.Headers)+5) // with those of a batch
	if m.ID != "" {
		h[headerID] = []string{m.ID}
	}
	if m.DataContentType != DefaultContentType { // what decode takes for granted need not be stored
		h[headerContentType] = []string{m.DataContentType}
	}
	for name, value := range m.Headers {
		if hasOuterBlank(value) {
			h[headerQuoted+name] = []string{`"` + value + `"`}
			continue
		}
		h[headerPrefix+name] = []string{value}
	}
	return &nats.Msg{Subject: subject, Header: h, Data: m.Data}
}

// hasOuterBlank finds what a reader of headers takes away.
func hasOuterBlank(s string) bool { return s != strings.TrimSpace(s) }

// decode is the inverse of encode.
func (n names) decode(subject string, h nats.Header, data []byte, seq uint64, at time.Time) *Message {
	m := &Message{ID: messageID(h), Topic: n.topicOf(subject), Data: data, Time: at, Seq: seq, DataContentType: DefaultContentType}
	for key, values := range h {
		if len(values) == 0 {
			continue
		}
		switch {
		case key == headerContentType:
			m.DataContentType = values[0]
		case key == jetstream.MsgTTLHeader:
			if ttl, err := time.ParseDuration(values[0]); err == nil {
				m.expires = at.Add(ttl)
			}
		case strings.HasPrefix(key, headerPrefix):
			m.setHeader(key[len(headerPrefix):], values[0])
		case strings.HasPrefix(key, headerQuoted) && len(values[0]) >= 2:
			m.setHeader(key[len(headerQuoted):], values[0][1:len(values[0])-1])
		}
	}
	return m
}

// messageID is the one that was chosen, or else names the message by its place in a batch: a header less to store.
func messageID(h nats.Header) string {
	if id := h[headerID]; len(id) > 0 {
		return id[0]
	}
	if batch, seq := h[headerBatchID], h[headerBatchSeq]; len(batch) > 0 && len(seq) > 0 {
		return batch[0] + "-" + seq[0]
	}
	return ""
}

func (m *Message) setHeader(name, value string) {
	if m.Headers == nil {
		m.Headers = make(map[string]string)
	}
	m.Headers[name] = value
}
