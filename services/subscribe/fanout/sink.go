package fanout

import (
	"context"
	"slices"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Sink takes the frames of one subscription to its client. It is called from
// several goroutines, but with one frame at a time.
type Sink interface {
	// Offer takes a frame without waiting, or returns false and has taken nothing: it is
	// still writing. After the call the frame's bytes are used for others, see [Frame.Keep].
	Offer(f *Frame) bool
	// Wake says that the subscription lags: the sink calls [Subscription.Pull], now or
	// when it has written, until nothing is left.
	Wake()
	// Ready waits until all that was put or offered is written.
	Ready(ctx context.Context) error
	// Put waits for that too and takes a frame, which is the caller's again after the call.
	Put(ctx context.Context, frame []byte) error
	// Overflow is called, once at most, where the client is to be closed because it does not keep up.
	Overflow()
}

// Encoding is how the messages of one group look to its clients. What it appends are
// lines; a frame holds one or several.
type Encoding interface {
	// Key is equal for encodings that are.
	Key() string
	// Begin makes room for what stands before the lines.
	Begin(b []byte) []byte
	// Message appends the message at pos. body is its JSON as package wire has it, less the opening brace.
	Message(b []byte, pos msgq.Position, body []byte) []byte
	// Position appends that nothing more matched up to here.
	Position(b []byte, pos msgq.Position) []byte
	// Skipped appends that messages were left out.
	Skipped(b []byte, from, to uint64) []byte
	// Reset appends that messages are gone and where it goes on.
	Reset(b []byte, pos msgq.Position) []byte
	// End returns the frame that was begun at start.
	End(b []byte, start int) []byte
	// Delivered counts messages that sinks took in this encoding.
	Delivered(n int)
}

// Frame is what all members of a group in one lane are offered.
type Frame struct {
	bytes    []byte
	number   uint64 // in its group
	before   uint64 // the positions before
	through  uint64 // and behind it
	messages int
	position bool // tells of a position only
	kept     []byte
}

// Bytes are valid as long as the call in which they were offered.
func (f *Frame) Bytes() []byte { return f.bytes }

// Keep is a copy that stays valid and is not to be changed: all who want one share it.
// Call it during the offer only.
func (f *Frame) Keep() []byte {
	if f.kept == nil {
		f.kept = slices.Clone(f.bytes)
	}
	return f.kept
}
