package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestIdempotencyKeyIsBareOrQuoted(t *testing.T) {
	for value, want := range map[string]string{
		`order-1`: `order-1`, `"order-1"`: `order-1`, `"a\"b"`: `a"b`, `"a\\b"`: `a\b`, `"a\\\"b"`: `a\"b`,
		`a"b`: `a"b`, `"`: `"`, `"open`: `"open`, `'single'`: `'single'`,
	} {
		got, err := idempotencyKey(http.Header{headerIdempotencyKey: {value}})
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", value, got, err, want)
		}
	}
	if got, err := idempotencyKey(http.Header{}); got != "" || err != nil {
		t.Errorf("no header: %q, %v, want a fresh id to be made", got, err)
	}
	for name, values := range map[string][]string{"empty": {""}, "empty quoted": {`""`}, "two": {"a", "b"}} {
		if got, err := idempotencyKey(http.Header{headerIdempotencyKey: values}); err == nil {
			t.Errorf("%s: %q, want an error", name, got)
		}
	}
}

// FuzzIdempotencyKey wants every id to be read back from its quoted form, and
// two keys to give one id only if they mean the same.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"order-1", `"a"`, `"a\"b"`, `\`, `\\"`, `"`, `""`, "\xff", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" {
			return
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id) + `"`
		got, err := idempotencyKey(http.Header{headerIdempotencyKey: {quoted}})
		if err != nil || got != id {
			t.Errorf("%q quoted as %s is read as %q, %v", id, quoted, got, err)
		}
		got, err = idempotencyKey(http.Header{headerIdempotencyKey: {id}})
		if err == nil && (got == "" || len(got) > len(id)) {
			t.Errorf("%q is read as %q", id, got)
		}
		if err == nil && id[0] != '"' && got != id {
			t.Errorf("%q, which is not quoted, is read as %q", id, got)
		}
	})
}
