package filter

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

const issue = `{
	"action": "opened", "number": 1347, "score": 3.5, "whole": 3.0, "big": 9007199254740993, "bigger": 18446744073709551615,
	"huge": 1e400, "flag": true, "off": false, "nothing": null, "list": [1, 2.0, "a", [1]], "empty": {},
	"issue": {"comments": 4, "title": "Fix the spinner", "labels": ["bug", "ui"], "user": {"login": "ana", "site_admin": false}},
	"a-b": 1, "text": "déjà vu"
}`

func TestFilterMatches(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"the contract's first example", `data.action == "opened" && data.issue.comments > 3`},
		{"the contract's second example", `headers["region"] in ["eu","us"]`},
		{"the contract's third example", `topic.startsWith("github.")`},
		{"everything", `true`},
		{"a comment is ignored", "data.flag // really\n"},
		{"topic", `topic == "github.issues.opened"`},
		{"id", `id == "4f2a"`},
		{"seq is a number", `seq >= 42 && seq < 43.5`},
		{"time is a timestamp in UTC", `time > timestamp("2026-01-31T12:00:00Z") && time.getHours() == 12`},
		{"time in a zone", `time.getHours("Europe/Berlin") == 13`},
		{"an age in durations", `timestamp("2026-01-31T13:00:00Z") - time == duration("30m")`},
		{"a header by a name with dashes", `headers["x-request-id"] == "r1"`},
		{"a header as a field", `headers.region == "eu"`},
		{"datacontenttype", `datacontenttype == "application/json"`},
		{"a boolean field alone", `data.flag`},
		{"a field by name in brackets", `data["a-b"] == 1`},
		{"an element of a list", `data.issue.labels[1] == "ui"`},
		{"a value in a list", `"bug" in data.issue.labels`},
		{"a name in an object", `"action" in data && !("x" in data)`},
		{"has() of a field", `has(data.issue.user) && !has(data.issue.milestone)`},
		{"null is a value", `data.nothing == null && has(data.nothing)`},
		{"a whole object compared", `data.issue.user == {"login": "ana", "site_admin": false}`},
		{"a list compared by value of its numbers", `data.list == [1.0, 2, "a", [1]]`},
		{"an empty object", `data.empty == {} && size(data.empty) == 0`},
		{"a choice", `data.flag ? data.number > 1 : false`},
		{"one failing side of or", `data.missing == 1 || data.flag`},
		{"one false side of and", `!(data.missing == 1 && data.off)`},
		{"contains", `data.issue.title.contains("spin")`},
		{"matches", `data.issue.title.matches("^Fix .*r$")`},
		{"matches as a function", `matches(topic, r"\.opened$")`},
		{"size counts code points", `data.text.size() == 7 && size(data.issue.labels) == 2`},
		{"conversion to text", `"#" + string(data.number) == "#1347"`},
		{"types", `type(data.number) == int && type(data.score) == double`},
	} {
		t.Run(c.name, func(t *testing.T) {
			holds, err := mustCompile(t, c.text).Check(jsonEvent(issue))
			if !holds || err != nil {
				t.Errorf("Check(%s) = %v, %v", c.text, holds, err)
			}
			if no, err := mustCompile(t, "!("+c.text+"\n)").Check(jsonEvent(issue)); no || err != nil {
				t.Errorf("not %s: Check = %v, %v", c.text, no, err)
			}
		})
	}
}

func TestNumbersCompareByValue(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`data.score > 3`, true},
		{`data.score == 3`, false},
		{`data.whole == 3`, true},
		{`data.whole in [1, 2, 3]`, true},
		{`2 in data.list`, true},
		{`data.number == 1347.0`, true},
		{`data.number == 1347u`, true},
		{`data.number < 1347.5`, true},
		{`data.big == 9007199254740993`, true},
		{`data.big == 9007199254740992`, false},
		{`data.big > 9007199254740992`, true},
		{`data.bigger == 18446744073709551615u`, true},
		{`data.bigger > 9223372036854775807`, true},
		{`data.huge > 1e308`, true},
		{`data.number == "1347"`, false},
		{`double(data.number) * 0.5 == 673.5`, true},
	} {
		holds, err := mustCompile(t, c.text).Check(jsonEvent(issue))
		if holds != c.want || err != nil {
			t.Errorf("Check(%s) = %v, %v, want %v", c.text, holds, err, c.want)
		}
	}
}

func TestWhatCannotBeEvaluatedIsNoMatch(t *testing.T) {
	for _, c := range []struct{ name, text, reason string }{
		{"missing field", `data.missing == 1`, "no such key: missing"},
		{"field of a missing field", `has(data.missing.deeper)`, "no such key: missing"},
		{"field of a number", `data.number.x == 1`, "no such key: x"},
		{"missing header", `headers["nope"] == ""`, "no such key: nope"},
		{"place beyond the list", `data.list[9] == 1`, "index out of bounds: 9"},
		{"number compared with text", `data.number < "a"`, "no such overload"},
		{"contains on a number", `data.number.contains("a")`, "no such overload"},
		{"matches on a number", `data.number.matches("a")`, "matches() needs a string, not int"},
		{"in a number", `1 in data.number`, "in needs a list or an object, not int"},
		{"arithmetic of two kinds", `data.score + 1 > 4`, "no such overload"},
		{"division by zero", `data.number / 0 == 1`, "division by zero"},
		{"overflow", `data.big * data.big > 0`, "integer overflow"},
		{"negated number", `!data.number`, "no such overload"},
		{"number as condition", `data.number ? true : false`, "no such overload"},
		{"unknown timezone", `time.getHours(data.action) > 0`, "unknown time zone opened"},
		{"text that is no number", `int(data.action) == 1`, "type conversion error"},
		{"a result that is text", `data.action`, "the result is string, not true or false"},
		{"a result that is null", `data.nothing`, "the result is null_type, not true or false"},
		{"an object as key", `{data: 1}[data.number] == 1`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustCompile(t, c.text)
			holds, err := f.Check(jsonEvent(issue))
			if holds || err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("Check(%s) = %v, %v, want %q", c.text, holds, err, c.reason)
			}
			if f.Match(jsonEvent(issue)) {
				t.Errorf("Match(%s) holds", c.text)
			}
		})
	}
}

func TestReasonIsShortAndOneLine(t *testing.T) {
	e := jsonEvent(`{"key": "` + strings.Repeat(`a\n`, 10_000) + `", "o": {"x": 1}}`)
	_, err := mustCompile(t, `data.o[data.key] == 1`).Check(e)
	if err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
		t.Errorf("Check: %.100v", err)
	}
	if errors.Unwrap(err) == nil {
		t.Error("the reason does not unwrap")
	}
}

func TestDataIsJSONByContentType(t *testing.T) {
	isNull, isObject := mustCompile(t, `data == null`), mustCompile(t, `data.n == 1`)
	for _, c := range []struct {
		contentType, data string
		object            bool
	}{
		{"application/json", `{"n":1}`, true},
		{"Application/JSON ; charset=utf-8", `{"n":1}`, true},
		{"application/cloudevents+json", ` {"n":1} `, true},
		{"application/vnd.x+JSON;v=1", `{"n":1}`, true},
		{"application/jsonl", `{"n":1}`, false},
		{"+json", `{"n":1}`, false},
		{"text/plain", `{"n":1}`, false},
		{"", `{"n":1}`, false},
		{"application/json", `{"n":1`, false},
		{"application/json", `{"n":1} x`, false},
		{"application/json", "{\"n\":1,\"t\":\"\xff\"}", false},
		{"application/json", ``, false},
		{"application/json", `null`, false},
	} {
		e := jsonEvent(c.data)
		e.DataContentType = c.contentType
		if got := isObject.Match(e); got != c.object {
			t.Errorf("%q %q: data.n == 1 is %v", c.contentType, c.data, got)
		}
		if got := isNull.Match(e); got == c.object {
			t.Errorf("%q %q: data == null is %v", c.contentType, c.data, got)
		}
	}
}

func TestZeroEventHasNothing(t *testing.T) {
	f := mustCompile(t, `topic == "" && id == "" && seq == 0 && size(headers) == 0 && data == null && time < timestamp("0001-01-01T00:00:01Z")`)
	if holds, err := f.Check(&Event{}); !holds || err != nil {
		t.Errorf("Check = %v, %v", holds, err)
	}
}

func TestPayloadIsDecodedOnceAndOnlyWhenAskedFor(t *testing.T) {
	e := jsonEvent(issue)
	mustCompile(t, `topic != "" || data.flag`).Match(e)
	if e.decoded != nil {
		t.Error("decoded although nothing asked for it")
	}
	f := mustCompile(t, `data.flag`)
	f.Match(e)
	clear(e.Data) // a second decoding would find nothing
	if !f.Match(e) {
		t.Error("decoded twice")
	}
}

// The race detector is what this test is for: CEL shares some of its errors.
func TestMatchIsSafeForConcurrentUse(t *testing.T) {
	texts := []string{
		`data.issue.comments > 3`, `data.number.startsWith("a")`, `data.number.contains("a")`, `data.missing`,
		`timestamp(data.big) > time`, `data.issue.title.matches("^F")`, `"bug" in data.issue.labels`, `data.list == [1]`,
	}
	var filters []*Filter
	for _, text := range texts {
		filters = append(filters, mustCompile(t, text))
	}
	for range 20 {
		e := jsonEvent(issue)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, f := range filters {
					_, _ = f.Check(e)
				}
			})
		}
		wg.Wait()
		if !filters[0].Match(e) {
			t.Fatal("no match")
		}
	}
}

func TestStringIsTheText(t *testing.T) {
	const text = "data.a == 1 &&\n\tdata.b // both"
	if got := mustCompile(t, text).String(); got != text {
		t.Errorf("String() = %q", got)
	}
}
