package msgq

import (
	"errors"
	"reflect"
	"strings"
	"testing"

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
