package sse

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// encoding makes events of what the hub hands out, the same for all streams.
type encoding struct{ sent prometheus.Counter }

// Key is [fanout.Encoding]'s, and so are the others.
func (encoding) Key() string { return "sse" }

// Begin needs no room.
func (encoding) Begin(b []byte) []byte { return b }

// Message appends a message.
func (encoding) Message(b []byte, pos msgq.Position, body []byte) []byte {
	b = append(begin(b, "message", pos), `{"type":"message",`...)
	return append(append(b, body...), "\n\n"...)
}

// Position appends where the client is.
func (encoding) Position(b []byte, pos msgq.Position) []byte { return place(b, "position", pos) }

// Reset appends where the client is after what is gone.
func (encoding) Reset(b []byte, pos msgq.Position) []byte { return place(b, "reset", pos) }

// Skipped appends nothing: streams catch up, always.
func (encoding) Skipped(b []byte, _, _ uint64) []byte { return b }

// End adds nothing.
func (encoding) End(b []byte, start int) []byte { return b[start:] }

// Delivered counts.
func (e encoding) Delivered(n int) { e.sent.Add(float64(n)) }

// begin appends an event up to its data.
func begin(b []byte, kind string, pos msgq.Position) []byte {
	return fmt.Appendf(b, "id: %s\nevent: %s\ndata: ", wire.PositionText(pos), kind)
}

// place appends an event that tells of a position only.
func place(b []byte, kind string, pos msgq.Position) []byte {
	data := wire.Line(struct {
		Type  string `json:"type"`
		Epoch string `json:"epoch"`
		Seq   uint64 `json:"seq"`
	}{kind, pos.Epoch, pos.Seq})
	return append(append(begin(b, kind, pos), data...), "\n\n"...)
}
