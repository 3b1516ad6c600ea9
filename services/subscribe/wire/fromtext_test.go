package wire_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

func TestFromIsReadFromShortText(t *testing.T) {
	noon := msgq.FromTime(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	for text, want := range map[string]msgq.From{
		"": msgq.FromNew(), "new": msgq.FromNew(), "all": msgq.FromAll(), `"all"`: msgq.FromAll(),
		"after:7": msgq.After(msgq.Position{Seq: 7}), "after:e:7": msgq.After(msgq.Position{Seq: 7, Epoch: "e"}),
		"after:a:b:7": msgq.After(msgq.Position{Seq: 7, Epoch: "a:b"}), `{"after":7,"epoch":"e"}`: msgq.After(msgq.Position{Seq: 7, Epoch: "e"}),
		"after:18446744073709551615": msgq.After(msgq.Position{Seq: 1<<64 - 1}),
		"last:3":                     msgq.FromLast(3), "2026-01-31T12:00:00Z": noon, "time:2026-01-31T12:00:00Z": noon,
	} {
		raw, err := wire.FromText(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := wire.ParseFrom(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"old", "after", "after:", "after:x", "after:e:", "after:-1", "after::1", "last", "last:", "last:1.5", "last:x", "time:", "time:noon", "noon", "7", "{", "[1]",
	} {
		if got, err := wire.FromText(text); !errors.Is(err, msgq.ErrInvalidFrom) {
			t.Errorf("%s: %s, %v, want ErrInvalidFrom", text, got, err)
		}
	}
}

func FuzzFromText(f *testing.F) {
	for _, seed := range []string{"", "new", "after:e:7", "last:3", "time:2026-01-31T12:00:00Z", `{"after":7}`, `"all"`, "{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := wire.FromText(text)
		if err == nil {
			_, err = wire.ParseFrom(raw)
		}
		if err != nil && !errors.Is(err, msgq.ErrInvalidFrom) {
			t.Errorf("%q: error %v is no ErrInvalidFrom", text, err)
		}
	})
}

func TestPositionSurvivesTheRoundTrip(t *testing.T) {
	want := msgq.Position{Seq: 7, Epoch: "e"}
	if got, err := wire.ParsePosition(wire.PositionText(want)); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
