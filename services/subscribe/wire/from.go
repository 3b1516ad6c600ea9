package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// ParseFrom reads a start position: "new", "all", {"after":SEQ,"epoch":"…"},
// {"time":…} or {"last":N}. Nothing at all is "new". Errors: msgq.ErrInvalidFrom.
func ParseFrom(raw json.RawMessage) (msgq.From, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return msgq.FromNew(), nil
	}
	var word string
	if json.Unmarshal(raw, &word) == nil {
		switch word {
		case "new":
			return msgq.FromNew(), nil
		case "all":
			return msgq.FromAll(), nil
		}
		return msgq.From{}, fmt.Errorf(`%w: %q, "new", "all" or an object is expected`, msgq.ErrInvalidFrom, word)
	}
	var object struct {
		After *uint64    `json:"after"`
		Epoch string     `json:"epoch"`
		Time  *time.Time `json:"time"`
		Last  *int       `json:"last"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return msgq.From{}, fmt.Errorf(`%w: after and last are whole numbers, time is like 2026-01-31T15:04:05Z`, msgq.ErrInvalidFrom)
	}
	switch {
	case object.After != nil && object.Time == nil && object.Last == nil:
		return msgq.After(msgq.Position{Seq: *object.After, Epoch: object.Epoch}), nil
	case object.Time != nil && object.After == nil && object.Last == nil:
		return msgq.FromTime(*object.Time), nil
	case object.Last != nil && object.After == nil && object.Time == nil:
		return msgq.FromLast(*object.Last), nil
	}
	return msgq.From{}, fmt.Errorf("%w: exactly one of after, time and last is expected", msgq.ErrInvalidFrom)
}
