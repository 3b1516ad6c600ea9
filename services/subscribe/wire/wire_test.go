package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

func TestFromIsRead(t *testing.T) {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]msgq.From{
		``: msgq.FromNew(), `null`: msgq.FromNew(), `"new"`: msgq.FromNew(), `"all"`: msgq.FromAll(),
		`{"after":0}`: msgq.After(msgq.Position{}), `{"after":7,"epoch":"e"}`: msgq.After(msgq.Position{Seq: 7, Epoch: "e"}),
		`{"after":18446744073709551615}`:  msgq.After(msgq.Position{Seq: 1<<64 - 1}),
		`{"time":"2026-01-31T12:00:00Z"}`: msgq.FromTime(noon), `{ "last" : 3 }`: msgq.FromLast(3), `{"last":3,"more":1}`: msgq.FromLast(3),
	} {
		got, err := wire.ParseFrom(json.RawMessage(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		`"old"`, `""`, `{}`, `{"epoch":"e"}`, `{"after":1,"last":1}`, `{"time":"2026-01-31T12:00:00Z","after":1}`, `{"after":-1}`, `{"after":1.5}`,
		`{"after":"1"}`, `{"after":18446744073709551616}`, `{"last":"3"}`, `{"time":"noon"}`, `{"time":1}`, `1`, `[]`, `true`, `{`,
	} {
		if got, err := wire.ParseFrom(json.RawMessage(text)); !errors.Is(err, msgq.ErrInvalidFrom) {
			t.Errorf("%s: %+v, %v, want ErrInvalidFrom", text, got, err)
		}
	}
}

func FuzzParseFrom(f *testing.F) {
	for _, seed := range []string{`"new"`, `"all"`, `{"after":7,"epoch":"e"}`, `{"time":"2026-01-31T12:00:00Z"}`, `{"last":3}`, `{`, `null`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := wire.ParseFrom(json.RawMessage(text))
		if err != nil && !errors.Is(err, msgq.ErrInvalidFrom) {
			t.Errorf("%q: error %v is no ErrInvalidFrom", text, err)
		}
		if err == nil && text != "" && !json.Valid([]byte(text)) {
			t.Errorf("%q, which is no JSON, is read as %+v", text, got)
		}
	})
}

func TestBackoffIsADurationOrAList(t *testing.T) {
	for text, want := range map[string]wire.Backoff{
		`"1s"`: {Base: time.Second}, `"1h30m"`: {Base: 90 * time.Minute}, `["1s","5s"]`: {List: []time.Duration{time.Second, 5 * time.Second}},
	} {
		var got wire.Backoff
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var second wire.Backoff
		if err := json.Unmarshal(again, &second); err != nil || !reflect.DeepEqual(second, want) {
			t.Errorf("%s is written as %s and read as %+v, %v", text, again, second, err)
		}
	}
	for _, text := range []string{`1`, `"soon"`, `[]`, `[1]`, `["1s","soon"]`, `{}`, `""`, `true`} {
		var got wire.Backoff
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: %+v, want an error", text, got)
		}
	}
}

func TestQueueSettingsSurviveTheRoundTrip(t *testing.T) {
	q := msgq.Queue{
		Name: "q", Topics: []string{"a.*"}, Filter: "seq > 1", MaxAttempts: 3, AckWait: time.Minute,
		Backoff: msgq.Backoff{Base: 2 * time.Second}, Push: &msgq.Push{URL: "http://a", Timeout: time.Second, Concurrency: 4},
	}
	text, err := json.Marshal(wire.NewQueueSettings(q))
	if err != nil {
		t.Fatal(err)
	}
	var settings wire.QueueSettings
	if err := json.Unmarshal(text, &settings); err != nil {
		t.Fatal(err)
	}
	if got, err := settings.Queue("q"); err != nil || !reflect.DeepEqual(got, q) {
		t.Errorf("%s gives %+v, %v, want %+v", text, got, err, q)
	}
}

func TestLineIsOneLine(t *testing.T) {
	m := wire.NewMessage(&msgq.Message{ID: "a\nb", DataContentType: "application/json", Data: []byte("{\n\"a\":\r\n1}")})
	if line := string(wire.Line(m)); strings.ContainsAny(line, "\n\r") || !strings.Contains(line, `"data":{"a":1}`) {
		t.Errorf("got %q", line)
	}
}

func TestDeepJSONDoesNotBreakTheLine(t *testing.T) {
	for _, depth := range []int{9_999, 10_000, 10_001, 20_000} {
		data := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		line := wire.Line(wire.NewMessage(&msgq.Message{DataContentType: "application/json", Data: []byte(data)}))
		if !strings.Contains(string(line), `"data`) {
			t.Errorf("depth %d: %.100s", depth, line)
		}
	}
}

func FuzzMessageLine(f *testing.F) {
	f.Add("application/json", []byte(`{"a":1}`))
	f.Add("text/plain", []byte("a\xff\n"))
	f.Add("a/b;", []byte{})
	f.Fuzz(func(t *testing.T, contentType string, data []byte) {
		line := wire.Line(wire.NewMessage(&msgq.Message{Topic: "a", DataContentType: contentType, Data: data}))
		if !json.Valid(line) || strings.Contains(string(line), "\n") {
			t.Errorf("%q is no line of JSON", line)
		}
		var back struct {
			Data       json.RawMessage
			DataBase64 *string `json:"data_base64"`
		}
		if err := json.Unmarshal(line, &back); err != nil || (back.Data == nil) == (back.DataBase64 == nil) {
			t.Errorf("%s: %v, want data or data_base64", line, err)
		}
	})
}
