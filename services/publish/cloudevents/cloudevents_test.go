package cloudevents_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/asyncmsglib/msgq/services/publish/cloudevents"
)

func header(subject string) http.Header {
	return http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"t"}, "Ce-Subject": {subject}}
}

// FuzzBinary wants each text back from its percent-encoded form, and nothing but UTF-8 from any other.
func FuzzBinary(f *testing.F) {
	for _, seed := range []string{"plain", "Euro €", "50 %", `"quoted"`, `"a\"b"`, "%C0%A0", "%", "%4", "\xff", `"`, `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := cloudevents.Binary(header(text), nil); err == nil && !utf8.ValidString(e.Attributes["subject"]) {
			t.Errorf("%q is read as %q", text, e.Attributes["subject"])
		}
		encoded := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
		e, err := cloudevents.Binary(header(encoded), nil)
		if want := utf8.ValidString(text) && text != ""; (err == nil) != want || want && e.Attributes["subject"] != text {
			t.Errorf("%q sent as %s is read as %q, %v", text, encoded, e.Attributes["subject"], err)
		}
	})
}

// FuzzStructured wants what is accepted to have what the specification requires, and to be the same when read again.
func FuzzStructured(f *testing.F) {
	for _, seed := range []string{
		`{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":1}}`,
		`{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"x","datacontenttype":"text/plain","n":1,"b":true,"none":null}`,
		`{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AA=="}`, `{}`, `[]`, `null`, `{"id":"1","id":"2"}`, "{\"id\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := cloudevents.Structured(text)
		if err != nil {
			return
		}
		for _, name := range []string{"id", "source", "type"} {
			if e.Attributes[name] == "" {
				t.Errorf("%s: without %s", text, name)
			}
		}
		m := e.Message("a")
		for name, value := range m.Headers {
			if !utf8.ValidString(name) || !utf8.ValidString(value) || m.ID != e.Attributes["id"] {
				t.Errorf("%s: %q: %q", text, name, value)
			}
		}
		again, err := cloudevents.Structured(text)
		if err != nil || !maps.Equal(again.Attributes, e.Attributes) || !bytes.Equal(again.Data, e.Data) {
			t.Errorf("%s: %v, then %v, %v", text, e, again, err)
		}
	})
}
