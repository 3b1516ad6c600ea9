package wire_test

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

func TestWhatIsWrongIsToldWithItsFieldAndNoType(t *testing.T) {
	for text, want := range map[string]string{
		`{"topics":1}`:                  "topics: a number is not expected here",
		`{"topics":["a",[]]}`:           "topics.1: an array is not expected here",
		`{"max_attempts":1.5}`:          "max_attempts: a number is not expected here",
		`{"max_attempts":1e99}`:         "max_attempts: a number is not expected here",
		`{"ack_wait":"soon"}`:           `ack_wait: "soon" is no duration such as 500ms or 30s`,
		`{"ack_wait":5}`:                "ack_wait: a number is not expected here",
		`{"backoff":["1s","soon"]}`:     "backoff: neither a duration such as 1s nor a list of durations",
		`{"push":{"secret":1}}`:         "push.secret: a string or null is expected",
		`{"push":{"concurrency":true}}`: "push.concurrency: a boolean is not expected here",
		`{"Topics":["a"]}`:              `there is no field "Topics"`,
		`{"push":{"secrt":""}}`:         `there is no field "push.secrt"`,
		`{"time":"noon"}`:               "time: it is no time such as 2026-01-31T15:04:05Z",
		`{"time":5}`:                    "time: a number is not expected here",
		`[]`:                            "an array is not expected here",
		`{"topics":["a"}`:               "no JSON at byte 14: invalid character '}' after array element (expecting ',' or ']')",
		`{"topics":["a"`:                "it ends in the middle",
		`{}{}`:                          "no JSON at byte 2: invalid character '{' after top-level value",
	} {
		var s struct {
			wire.QueueSettings
			Time time.Time `json:"time"`
		}
		err := wire.Unmarshal([]byte(text), &s, json.RejectUnknownMembers(true))
		if err == nil {
			t.Errorf("%s is read as %+v", text, s)
			continue
		}
		if got := wire.Explain(err); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
