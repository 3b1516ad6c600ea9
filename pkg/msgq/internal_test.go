package msgq

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestTooLargeIsSaidInOurWords(t *testing.T) {
	err := brokerError("publish", nats.ErrMaxPayload) // its text is shown to clients
	if !errors.Is(err, ErrTooLarge) || strings.Contains(err.Error(), "nats") {
		t.Errorf("error %v", err)
	}
}

func TestMinimalPatternsLeaveOutWhatOthersCover(t *testing.T) {
	for _, test := range []struct{ patterns, want []string }{
		{[]string{"a"}, []string{"a"}},
		{[]string{"b", "a", "b"}, []string{"a", "b"}},
		{[]string{"a.b", "a.*"}, []string{"a.*"}},
		{[]string{"a.>", "a.*", "a.b.c", "b"}, []string{"a.>", "b"}},
		{[]string{"x.y", ">", "*"}, []string{">"}},
		{[]string{"*.b", "a.*"}, []string{"*.b", "a.*"}}, // both cover a.b, neither the other
		{[]string{"a", "a.>"}, []string{"a", "a.>"}},
		{[]string{"*.>", "*.*", "*"}, []string{"*", "*.>"}},
	} {
		if got := minimalPatterns(test.patterns); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, want %q", test.patterns, got, test.want)
		}
	}
}

// Whatever a publisher sets comes back as it was, and none of it is a header of the broker's.
func FuzzHeaders(f *testing.F) {
	f.Add("traceparent", "00-1", "text/plain", "id-1")
	f.Add("nats-rollup", "all", "", "")
	f.Add("a", "b\r\nNats-Rollup: all", "x\r\ny", "i d")
	f.Add("ce-source", " spaces\tand more ", "application/json; charset=utf-8", "~")
	f.Fuzz(func(t *testing.T, name, value, contentType, id string) {
		m := Message{ID: id, Topic: "a", DataContentType: contentType, Headers: map[string]string{name: value}}
		if m.validate() != nil {
			return
		}
		setDefault(&m.DataContentType, DefaultContentType) // as prepare does
		n := newNames("EVENTS")
		stored := m.encode(n.topic(m.Topic))
		for header := range stored.Header {
			if strings.HasPrefix(strings.ToLower(header), "nats-") {
				t.Errorf("%q is stored as %q", name, header)
			}
		}
		got := n.decode(stored.Subject, stored.Header, nil, 1, time.Time{})
		if got.ID != id || got.DataContentType != m.DataContentType || !reflect.DeepEqual(got.Headers, m.Headers) {
			t.Errorf("stored %+v, read %+v", m, got)
		}
	})
}

func TestPatternsOverlapWhereATopicMatchesBoth(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a.b", false},
		{"a.*", "*.b", true},
		{"a.*", "b.*", false},
		{"a.*", "a.b.c", false},
		{"a.>", "a", false}, // it wants one token more
		{"a.>", "*.b.c", true},
		{"a.b.>", "*.c.>", false},
		{">", "a.b", true},
		{"*.*.c", "a.b.*", true},
		{"*.*.c", "a.b.d", false},
	} {
		if overlap(test.a, test.b) != test.want || overlap(test.b, test.a) != test.want {
			t.Errorf("overlap of %s and %s is not %v", test.a, test.b, test.want)
		}
	}
}
