package filter

import (
	"errors"
	"strings"
	"testing"
)

func TestBadFilterIsExplained(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", ``, "line 1, column 1: the filter is empty (leave it out, or write true, to get every message)"},
		{"blank", " \n\t", "line 1, column 1: the filter is empty (leave it out, or write true, to get every message)"},
		{"too long", strings.Repeat(" ", 2049), "line 1, column 1: the filter is 2049 bytes long, at most 2048 are allowed (use several subscriptions, each with a part of it)"},
		{"not UTF-8", "topic == \"\xff\"", "line 1, column 1: the filter is not valid UTF-8 (send it as UTF-8)"},

		{"misspelt variable", `dta.x == 1`, "line 1, column 1: undeclared reference to 'dta' (did you mean data?)"},
		{"letters swapped", `tpoic == "a"`, "line 1, column 1: undeclared reference to 'tpoic' (did you mean topic?)"},
		{"payload field", `action == "opened"`, "line 1, column 1: undeclared reference to 'action' (did you mean data.action?)"},
		{"other word for data", `payload.x == 1`, "line 1, column 1: undeclared reference to 'payload' (did you mean data?)"},
		{"text without quotes", `data.a == opened`, `line 1, column 11: undeclared reference to 'opened' (did you mean "opened", or data.opened?)`},
		{"True", `data.a == True`, "line 1, column 11: undeclared reference to 'True' (did you mean true?)"},
		{"header with a dash", `headers.content-type == "a"`,
			`line 1, column 16: cannot apply - to string and type(type) (a name with a dash goes in brackets: headers["content-type"])`},
		{"field with a dash", `data.x-y == 1`, `line 1, column 8: undeclared reference to 'y' (a name with a dash goes in brackets: data["x-y"])`},
		{"on the second line", "data.a == \"é\" &&\n  \"é\" == dta", "line 2, column 10: undeclared reference to 'dta' (did you mean data?)"},

		{"single =", `topic = "a"`, "line 1, column 7: '=' is not an operator (use == to compare)"},
		{"triple =", `data.a === 1`, "line 1, column 10: '=' is not an operator (use == to compare)"},
		{"=>", `data.a => 1`, "line 1, column 8: '=' is not an operator (use >= or <=)"},
		{"<>", `data.a <> 1`, "line 1, column 8: '<>' is not an operator (use !=)"},
		{"and", `data.a == 1 and data.b == 2`, "line 1, column 13: 'and' is not an operator (use &&)"},
		{"OR", `data.a == 1 OR data.b == 2`, "line 1, column 13: 'OR' is not an operator (use ||)"},
		{"not", `not data.a`, "line 1, column 1: 'not' is not an operator (use !)"},
		{"not in", `data.a not in [1]`, "line 1, column 8: 'not in' is not an operator (write !(a in b))"},
		{"single &", `data.a & data.b`, "line 1, column 8: '&' is not an operator (use &&)"},
		{"single |", `data.a | data.b`, "line 1, column 8: '|' is not an operator (use ||)"},
		{"is", `data.a is null`, "line 1, column 8: 'is' is not an operator (use ==)"},
		{"typographic quotes", `topic == “a”`, `line 1, column 10: “ is not a quote (use plain ones: " or ')`},
		{"open quote", `topic == 'a`, "line 1, column 10: the text is not closed: a ' is missing (end it with the quote that it begins with)"},
		{"bad escape", `topic.matches("\d")`, `line 1, column 15: bad escape after a backslash (write a backslash as \\, or put r before the quote: r"a\d+")`},
		{"open parenthesis", `(data.a`, "line 1, column 8: a closing ) is missing (add it where the part that it closes ends)"},
		{"extra parenthesis", `data.a)`, "line 1, column 7: unexpected ) (a filter is like data.total > 40 && topic == \"orders.created\")"},
		{"open end", `data.a == 1 &&`, "line 1, column 15: the filter ends too early (something has to follow, as in data.total > 40)"},
		{"two dots", `data..a`, "line 1, column 6: a name is missing after the dot (write a name there, as in data.total)"},
		{"reserved field name", `data.in == 1`, `line 1, column 6: in cannot stand after a dot (write ["in"] instead of .in)`},
		{"dollar", `data.$ref == 1`, `line 1, column 6: $ref cannot stand after a dot (write ["$ref"] instead of .$ref)`},
		{"number after a dot", `data.list.0 == 1`, "line 1, column 10: unexpected number after a dot (a place in a list is written data.list[0])"},
		{"control character", "\x00", "line 1, column 1: unexpected character U+0000 (a filter is like data.total > 40 && topic == \"orders.created\")"},
		{"if", `if data.a`, "line 1, column 1: if is a reserved word (write condition ? a : b)"},
		{"number too large", `data.n == 99999999999999999999`, "line 1, column 11: the number is too large (whole numbers have 64 bits; write 1e20 for a larger one)"},

		{"exists", `data.items.exists(x, x.n > 1)`,
			`line 1, column 12: filters do not have exists() (has() is the only macro; "x" in data.list finds a value in a list)`},
		{"filter", `size(data.items.filter(x, x > 1)) > 0`,
			`line 1, column 17: filters do not have filter() (has() is the only macro; "x" in data.list finds a value in a list)`},
		{"function in small letters", `topic.startswith("a")`, "line 1, column 7: there is no function startswith() (did you mean startsWith()?)"},
		{"function of another language", `len(topic) > 1`, "line 1, column 1: there is no function len() (did you mean size()?)"},
		{"unknown function", `topic.frobnicate()`, "line 1, column 7: there is no function frobnicate() (as in topic.startsWith(\"a\"), data.text.contains(\"x\"), size(data.list), int(data.n))"},
		{"wrong argument", `topic.startsWith(1)`, "line 1, column 7: startsWith() of string does not take (int) (as in topic.startsWith(\"a\"), data.text.contains(\"x\"), size(data.list), int(data.n))"},
		{"has without a field", `has(data)`, `line 1, column 5: has() needs a field (has(data.name), or "name" in data)`},
		{"message literal", `google.protobuf.Struct{} == data`, "line 1, column 1: filters do not make messages like google.protobuf.Struct{} (compare one field at a time)"},

		{"result is text", `topic`, "line 1, column 1: the filter's result is string, not true or false (compare it with something: == != < > in)"},
		{"result is a number", `data.a + 1`, "line 1, column 1: the filter's result is int, not true or false (compare it with something: == != < > in)"},
		{"text as condition", `topic && true`, "line 1, column 1: true or false is needed here, this is string (compare it with something: == != < > in)"},
		{"text and number", `topic == 1`, "line 1, column 7: cannot apply == to string and int (text stands in quotes, numbers and true or false do not)"},
		{"time and text", `time > "2026"`, `line 1, column 6: cannot apply > to timestamp and string (write a time as timestamp("2026-01-31T12:00:00Z"))`},
		{"int and double", `seq == 3.5`, "line 1, column 5: cannot apply == to int and double (convert one of them with double(), int() or uint())"},
		{"not of a number", `!seq`, "line 1, column 1: cannot apply ! to int (! is for true or false: compare with something first)"},
		{"field of text", `topic.x == 1`, "line 1, column 6: string has no fields (only data and headers have fields)"},
		{"choice of two kinds", `data.a ? true : 1`, "line 1, column 8: the two results of ? : are of different types: bool and int (make both text, both numbers, or both true or false)"},
		{"index of text", `topic[0] == "g"`, "line 1, column 6: string cannot be indexed by int (a place in a list is written data.list[0])"},

		{"bad pattern", `topic.matches("[")`, "line 1, column 15: error parsing regexp: missing closing ]: `[` (patterns are RE2, short ones, as in ^order-[0-9]+$)"},
		{"pattern from the payload", `topic.matches(data.re)`,
			`line 1, column 19: the pattern of matches() must be written out: matches("^a.*z$") (for text that is not a pattern, use contains())`},
		{"pattern too large", `topic.matches("(abc){900}")`, "line 1, column 15: the regular expression is too large: 3600 instructions, at most 1000 are allowed (patterns are RE2, short ones, as in ^order-[0-9]+$)"},
		{"bad duration", `duration("1x") > duration("1s")`, `line 1, column 10: invalid duration (durations look like "1h30m" or "500ms")`},
		{"bad timestamp", `timestamp("x") > time`, `line 1, column 11: invalid timestamp (times look like "2026-01-31T12:00:00Z")`},
		{"bad constant", `int("abc") == 1`, "line 1, column 1: type conversion error from 'string' to 'int' (a constant has to be a value of its type, as in int(\"17\"))"},
		{"nested too deeply", strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "line 1, column 1: the filter is nested too deeply, at most 100 levels are allowed (leave out parentheses, or write a in [b, c] for a == b || a == c)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Compile(c.text)
			if f != nil || err == nil || err.Error() != c.want {
				t.Errorf("Compile(%.80q):\n got %v\nwant %v", c.text, err, c.want)
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

func TestFilterOfFullLengthCompiles(t *testing.T) {
	text := "true" + strings.Repeat(" || data.n == 12345", 107)
	text += strings.Repeat(" ", MaxLength-len(text))
	if !mustCompile(t, text).Match(jsonEvent(`{}`)) {
		t.Error("no match")
	}
}

func TestNearNamesAreFound(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"dta", "data"}, {"dat", "data"}, {"Data", "data"}, {"adta", "data"}, {"header", "headers"}, {"ids", "id"}, {"sq", ""}, {"xyz", ""},
		{strings.Repeat("data", 500), ""}, {"", ""},
	} {
		if got := closest(c.name, []string{"data", "headers", "id", "topic"}); got != c.want {
			t.Errorf("closest(%.20q) = %q, want %q", c.name, got, c.want)
		}
	}
}
