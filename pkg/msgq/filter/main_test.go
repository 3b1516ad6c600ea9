package filter

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// jsonEvent is an issue's event with this payload.
func jsonEvent(data string) *Event {
	return &Event{
		Topic:           "github.issues.opened",
		ID:              "4f2a",
		Seq:             42,
		Time:            time.Date(2026, 1, 31, 12, 30, 0, 0, time.UTC),
		Headers:         map[string]string{"region": "eu", "x-request-id": "r1"},
		DataContentType: "application/json",
		Data:            []byte(data),
	}
}

func mustCompile(tb testing.TB, text string) *Filter {
	tb.Helper()
	f, err := Compile(text)
	if err != nil {
		tb.Fatalf("Compile(%q): %v", text, err)
	}
	return f
}
