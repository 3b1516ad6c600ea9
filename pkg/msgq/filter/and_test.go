package filter_test

import (
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

func TestAndHoldsWhereBothDo(t *testing.T) {
	for name, test := range map[string]struct {
		a, b    string
		matches bool
	}{
		"neither is there":   {"", "", true},
		"the first alone":    {"data.n == 1", "", true},
		"the second alone":   {"", "data.n == 2", false},
		"both hold":          {"data.n == 1", `topic == "a"`, true},
		"the first does not": {"data.n == 2", `topic == "a"`, false},
		"or stays inside":    {"data.n == 2", `topic == "b" || true`, false},
		"comments end":       {"data.n == 1 // one", `topic == "a" // and more`, true},
		"a field is missing": {"data.tenant == 1", "true", false},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := filter.And(test.a, test.b)
			if err != nil {
				t.Fatal(err)
			}
			if text == "" {
				return
			}
			f, err := filter.Compile(text)
			if err != nil {
				t.Fatal(err)
			}
			e := &filter.Event{Topic: "a", DataContentType: "application/json", Data: []byte(`{"n":1}`)}
			if f.Match(e) != test.matches {
				t.Errorf("%q matches: %t", text, !test.matches)
			}
		})
	}
}

func TestAndRefusesWhatIsNoFilterByItself(t *testing.T) {
	long := `topic != "` + strings.Repeat("x", 1500) + `"`
	for _, pair := range [][2]string{
		{"true", "true) || (true"}, {"true", "true\n) || (true"}, {"true) || (true", "true"}, {"true", "1 + 1"}, {long, long},
	} {
		if text, err := filter.And(pair[0], pair[1]); err == nil {
			t.Errorf("%.40q and %.40q make %.80q", pair[0], pair[1], text)
		}
	}
}
