package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/asyncmsglib/msgq/services/internal/rawjson"
)

func TestCheckTellsWhatIsWrong(t *testing.T) {
	for data, want := range map[string]string{
		``:                "at byte 0: unexpected EOF",
		`{"a":[1,]}`:      "at byte 8: invalid character ']' at start of value",
		`{} {}`:           "at byte 3: invalid character '{' after top-level value",
		"\"\xff\"":        "not UTF-8",
		`{"a":1,"a":2}`:   "",
		`"\ud800"`:        "",
		" [ 1.0e+5 ]\r\n": "",
	} {
		err := rawjson.Check([]byte(data))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}

// FuzzSameAsEncodingJSON compares with the library that clients are likely to have.
func FuzzSameAsEncodingJSON(f *testing.F) {
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for _, data := range []string{
		``, ` `, `1`, `-0`, `01`, `{"a" : "\ud800" , "b":"\u00e9` + "\u2028" + `<&>", "a":1.0e+5 }`, `[1,]`, `{}{}`, `"\x"`, "\"\x00\"", deep, "[" + deep + "]",
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want bytes.Buffer
		wantErr := json.Compact(&want, data)
		if !utf8.Valid(data) {
			wantErr = rawjson.ErrNotUTF8
		}
		got, err := rawjson.AppendCompact([]byte("x"), data)
		if (err == nil) != (wantErr == nil) || (rawjson.Check(data) == nil) != (err == nil) {
			t.Fatalf("%q: %v and %v, want %v", data, err, rawjson.Check(data), wantErr)
		}
		if err == nil && string(got) != "x"+want.String() || err != nil && string(got) != "x" {
			t.Errorf("%q: %q, want %q", data, got, want.String())
		}
	})
}

// FuzzMembers wants of each object what encoding/json makes of it, and nothing of what that refuses.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":{"b":1,"b":2},"c":"\ud800"}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[]`, `null`, `{"a":1}x`, `{"a"}`, "{\"\xff\":1}", ` { } `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := rawjson.Members(text)
		var want map[string]json.RawMessage
		known := utf8.Valid(text) && json.Unmarshal(text, &want) == nil && want != nil
		if err == nil && (!known || len(members) != len(want)) {
			t.Fatalf("%q: %v, want %v", text, members, want)
		}
		for name, value := range members {
			if !bytes.Equal(value, want[name]) {
				t.Errorf("%q: %q is %s, want %s", text, name, value, want[name])
			}
		}
		if err != nil && known && jsontext.Value(text).IsValid() { // which has no name twice
			t.Errorf("%q: %v", text, err)
		}
	})
}
