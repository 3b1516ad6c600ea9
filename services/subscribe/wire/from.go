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
	if Unmarshal(raw, &word) == nil {
		switch word {
		case "new":
			return msgq.FromNew(), nil
		case "all":
			return msgq.FromAll(), nil
		}
		return msgq.From{}, fmt.Errorf(`%w: %q, "new", "all" or an object is expected`, msgq.ErrInvalidFrom, word)
	}
	return parseFromObject(raw)
}

func parseFromObject(raw json.RawMessage) (msgq.From, error) {
	var object struct {
		After *uint64    `json:"after"`
		Epoch string     `json:"epoch"`
		Time  *time.Time `json:"time"`
		Last  *int       `json:"last"`
	}
	if err := Unmarshal(raw, &object); err != nil {
		return msgq.From{}, fmt.Errorf(`%w: after and last are whole numbers, time is like 2026-01-31T15:04:05Z`, msgq.ErrInvalidFrom)
	}
	var from []msgq.From
	if object.After != nil {
		from = append(from, msgq.After(msgq.Position{Seq: *object.After, Epoch: object.Epoch}))
	}
	if object.Time != nil {
		at := *object.Time
		if at.IsZero() { // a time on the wire, none in Go
			at = at.Add(1)
		}
		from = append(from, msgq.FromTime(at))
	}
	if object.Last != nil {
		from = append(from, msgq.FromLast(*object.Last))
	}
	if len(from) != 1 {
		return msgq.From{}, fmt.Errorf("%w: exactly one of after, time and last is expected", msgq.ErrInvalidFrom)
	}
	return from[0], nil
}
