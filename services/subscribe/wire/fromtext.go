package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// FromText gives the JSON of a start position that is written short, for URLs and
// command lines: new, all, after:SEQ, after:EPOCH:SEQ, last:N, time:T or T alone, such as
// 2026-01-31T15:04:05Z. JSON is taken as it is. Nothing at all gives nothing.
// Errors: msgq.ErrInvalidFrom; what JSON says is left to [ParseFrom].
func FromText(text string) (json.RawMessage, error) {
	kind, value, _ := strings.Cut(text, ":")
	switch {
	case text == "":
		return nil, nil
	case text == "new", text == "all":
		return Line(text), nil
	case (text[0] == '{' || text[0] == '"') && json.Valid([]byte(text)):
		return json.RawMessage(text), nil
	case kind == "after":
		if pos, err := ParsePosition(value); err == nil {
			return Line(afterObject{pos.Seq, pos.Epoch}), nil
		}
	case kind == "last":
		if n, err := strconv.Atoi(value); err == nil {
			return Line(map[string]int{"last": n}), nil
		}
	}
	var at time.Time
	if at.UnmarshalText([]byte(strings.ToUpper(strings.TrimPrefix(text, "time:")))) == nil {
		return Line(map[string]time.Time{"time": at}), nil
	}
	return nil, fmt.Errorf("%w: %.64q, expected is new, all, after:SEQ, after:EPOCH:SEQ, last:N or a time such as 2026-01-31T15:04:05Z",
		msgq.ErrInvalidFrom, text)
}

type afterObject struct {
	After uint64 `json:"after"`
	Epoch string `json:"epoch,omitempty"`
}

// ParsePosition reads EPOCH:SEQ, or SEQ alone. Errors: msgq.ErrInvalidFrom.
func ParsePosition(text string) (msgq.Position, error) {
	var pos msgq.Position
	number := text
	if i := strings.LastIndexByte(text, ':'); i > 0 {
		pos.Epoch, number = text[:i], text[i+1:]
	}
	var err error
	if pos.Seq, err = strconv.ParseUint(number, 10, 64); err != nil {
		return msgq.Position{}, fmt.Errorf("%w: %.64q, EPOCH:SEQ is expected", msgq.ErrInvalidFrom, text)
	}
	return pos, nil
}

// PositionText is the inverse of ParsePosition.
func PositionText(pos msgq.Position) string {
	return pos.Epoch + ":" + strconv.FormatUint(pos.Seq, 10)
}
