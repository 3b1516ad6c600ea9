package msgq_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

func TestTopicsAndPatternsAreTokensJoinedByDots(t *testing.T) {
	for name, test := range map[string]struct {
		text           string
		topic, pattern bool
	}{
		"one token":             {"a", true, true},
		"every character":       {"AZaz09_-.x", true, true},
		"16 tokens":             {strings.Repeat("a.", 15) + "a", true, true},
		"255 bytes":             {strings.Repeat("a", 255), true, true},
		"a star":                {"*", false, true},
		"stars anywhere":        {"*.a.*", false, true},
		"greater":               {">", false, true},
		"greater at the end":    {"a.*.>", false, true},
		"empty":                 {"", false, false},
		"17 tokens":             {strings.Repeat("a.", 16) + "a", false, false},
		"256 bytes":             {strings.Repeat("a", 256), false, false},
		"dot alone":             {".", false, false},
		"leading dot":           {".a", false, false},
		"trailing dot":          {"a.", false, false},
		"empty token":           {"a..b", false, false},
		"greater in the middle": {"a.>.b", false, false},
		"star in a token":       {"a*.b", false, false},
		"greater in a token":    {"a.b>", false, false},
		"two greaters":          {">.>", false, false},
		"space":                 {"a b", false, false},
		"dollar":                {"$JS.API", false, false},
		"slash":                 {"a/b", false, false},
		"NUL":                   {"a\x00", false, false},
		"line break":            {"a\r\nb", false, false},
		"non-ASCII":             {"\u00e9", false, false},
		"not UTF-8":             {"\xff", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for what, check := range map[string]struct {
				err error
				ok  bool
			}{"topic": {msgq.ValidateTopic(test.text), test.topic}, "pattern": {msgq.ValidatePattern(test.text), test.pattern}} {
				if (check.err == nil) != check.ok || check.err != nil && !errors.Is(check.err, msgq.ErrInvalidTopic) {
					t.Errorf("%s %q: error %v, want ok %v", what, test.text, check.err, check.ok)
				}
			}
		})
	}
}

func TestMatchTopic(t *testing.T) {
	for _, test := range []struct {
		pattern, topic string
		want           bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "A", false}, {"a", "a.b", false}, {"a.b", "a", false}, {"ab", "a", false},
		{"*", "a", true}, {"*", "a.b", false}, {"a.*", "a.b", true}, {"a.*", "a", false}, {"a.*.c", "a.b.c", true}, {"*.*", "a.b", true},
		{">", "a", true}, {">", "a.b.c", true}, {"a.>", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.>", "b.a", false},
		{"*.>", "a", false}, {"*.>", "a.b", true},
		// A pattern for the topic: does one cover all of the other?
		{">", ">", true}, {">", "a.>", true}, {"a.>", ">", false}, {"a.>", "a.*", true}, {"a.*", "a.>", false}, {"*", "*", true},
		{"*", ">", false}, {"a", "*", false}, {"*.b", "a.*", false}, {"*.>", "*.*", true}, {"*.*", "*.>", false},
	} {
		if got := msgq.MatchTopic(test.pattern, test.topic); got != test.want {
			t.Errorf("%q covers %q: %v, want %v", test.pattern, test.topic, got, test.want)
		}
	}
}

// matches is MatchTopic as the contract words it, token by token.
func matches(pattern, topic string) bool {
	p, t := strings.Split(pattern, "."), strings.Split(topic, ".")
	for i, token := range p {
		if token == ">" {
			return len(t) > i
		}
		if i >= len(t) || token != "*" && token != t[i] {
			return false
		}
	}
	return len(p) == len(t)
}

func FuzzPattern(f *testing.F) {
	f.Add("a.*.>", "a.b.c")
	f.Add(">", "a")
	f.Add("a..b", "a.b")
	f.Add("*", "$SYS")
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		validPattern, validTopic := msgq.ValidatePattern(pattern) == nil, msgq.ValidateTopic(topic) == nil
		if validTopic && msgq.ValidatePattern(topic) != nil {
			t.Errorf("topic %q is no pattern", topic)
		}
		if validTopic && (len(topic) > 255 || strings.ContainsAny(topic, "*>$/ \x00\r\n") || strings.Count(topic, ".") > 15) {
			t.Errorf("%q is taken for a topic", topic)
		}
		got := msgq.MatchTopic(pattern, topic) // must not panic or hang, whatever it is given
		if validPattern && validTopic && got != matches(pattern, topic) {
			t.Errorf("%q covers %q: %v", pattern, topic, got)
		}
		if validPattern && !msgq.MatchTopic(pattern, pattern) {
			t.Errorf("%q does not cover itself", pattern)
		}
	})
}
