package filter

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
)

func TestDecodeGivesValuesThatCELNeedNotConvert(t *testing.T) {
	for _, c := range []struct {
		text string
		want any
	}{
		{`null`, nil},
		{` true `, types.True},
		{`"a\u00e9\n\/"`, types.String("aé\n/")},
		{`"\ud800"`, types.String("\uFFFD")},
		{`0`, types.Int(0)},
		{`-9223372036854775808`, types.Int(math.MinInt64)},
		{`9223372036854775807`, types.Int(math.MaxInt64)},
		{`9223372036854775808`, types.Uint(1 << 63)},
		{`18446744073709551616`, types.Double(1 << 64)},
		{`1.0`, types.Double(1)},
		{`1e2`, types.Double(100)},
		{`-1e999`, types.Double(math.Inf(-1))},
		{`[]`, []any{}},
		{`{}`, map[string]any{}},
		{`[1,"a",{"b":[null]}]`, []any{types.Int(1), types.String("a"), map[string]any{"b": []any{nil}}}},
		{`{"a":1,"a":2}`, map[string]any{"a": types.Int(2)}},
		{`{"a":1]`, nil},
		{`[1,]`, nil},
		{`[1}`, nil},
		{`01`, nil},
		{`1 2`, nil},
		{`nul`, nil},
		{`]`, nil},
		{"\"\xff\"", nil},
		{"\ufeff1", nil},
	} {
		if got := decode([]byte(c.text)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("decode(%s) = %#v, want %#v", c.text, got, c.want)
		}
	}
}

func TestEmptyObjectsAreNotShared(t *testing.T) {
	v := decode([]byte(`[{}, {"a": {}, "b": 1}, {}]`)).([]any)
	if len(empty) != 0 || len(v[0].(map[string]any)) != 0 || len(v[1].(map[string]any)) != 2 {
		t.Errorf("decoded %v, empty is %v", v, empty)
	}
}

// FuzzDecode holds the decoder against encoding/json: both take the same texts and
// read the same values.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{issue, `[1,2.5,-0,1e5,{"a":{"a":[]}}]`, `"\ud834\udd1e"`, `{"a":1,"a":2}`, `[[`, `1 1`, ` `, strings.Repeat("[", 200)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		got := decode(data)
		if !bytes.Equal(before, data) {
			t.Fatal("the payload was changed")
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			if got != nil {
				t.Fatalf("decode(%q) = %v, want nil", data, got)
			}
			return
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if want = celValues(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("decode(%q) = %#v, want %#v", data, got, want)
		}
	})
}

func celValues(v any) any {
	switch v := v.(type) {
	case bool:
		return types.Bool(v)
	case string:
		return types.String(v)
	case json.Number:
		return number([]byte(v))
	case []any:
		for i := range v {
			v[i] = celValues(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = celValues(v[name])
		}
	}
	return v
}
