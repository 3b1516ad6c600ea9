package wire_test

import (
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

func FuzzAppendMessageIsWhatLineSays(f *testing.F) {
	for _, seed := range []struct{ topic, id, header, media, data string }{
		{"a.b", "1", "", "application/octet-stream", "\x00\xff"},
		{"a", `"\`, "eu", "application/json", "{ \"a\" : [1, 2], \"<b>\": \"\u2028&\" }"},
		{"a", "<&>", "tab\t", "application/json; charset=utf-8", `null`},
		{"a", "~", "é", "application/cloudevents+json", `{"a":`},
		{"a", "1", "", "text/plain; charset=utf-8", "line\r\n\u2029é\x7f"},
		{"a", "1", "", "text/html", "\xff"},
		{"a", "1", "", "no media type at all;;", ""},
		{"a", "1", "", "", ""},
		{"a", "1", "", "APPLICATION/JSON", "1"},
	} {
		f.Add(seed.topic, seed.id, seed.header, seed.media, []byte(seed.data), uint64(7), int64(1_764_083_473_123_456_789))
	}
	f.Fuzz(func(t *testing.T, topic, id, header, media string, data []byte, seq uint64, at int64) {
		m := &msgq.Message{Topic: topic, ID: id, DataContentType: media, Data: data, Seq: seq, Time: time.Unix(0, at)}
		if header != "" {
			m.Headers = map[string]string{"region": header, "a": ""}
		}
		want := string(wire.Line(wire.NewMessage(m)))
		if got := "{" + string(wire.AppendMessage(nil, m)) + "}"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
