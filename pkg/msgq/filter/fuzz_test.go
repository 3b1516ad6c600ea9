package filter

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`data.action == "opened" && data.issue.comments > 3`, `headers["region"] in ["eu","us"]`, `topic.startsWith("github.")`, `has(data.a.b)`,
		`data.x = 1`, `not data.x and "a"`, `data.list[0].matches(r"^\d+$")`, `time - duration("1h") < timestamp("2026-01-01T00:00:00Z")`,
		`{"a": [1, 2.0, 3u, b"x"]}.a.size() == -1 ? !true : null == dyn(1)`, "“a”\n'''", `headers.a-b`, `int("1") + 1 == 2`, `data.x.exists(y, y > 1)`,
		`google.protobuf.Struct{fields: {}} == data`, `[1] + [2] == data.list || type(data) == map`, `{[1]: 2}[[1]] == 2`, `data.9`, `data.in`, `(((`,
	} {
		f.Add(seed)
	}
	e := jsonEvent(issue)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		filter, err := Compile(text)
		if err != nil {
			checkExplanation(t, err)
			return
		}
		filter.Match(e)
		if _, err := filter.Check(e); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("reason of several lines: %q", err)
		}
		if filter.String() != text {
			t.Error("String is not the text")
		}
		if took := time.Since(start); took > patience {
			t.Errorf("took %v", took)
		}
	})
}

func checkExplanation(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("a %T: %v", err, err)
	}
	if e.Line < 1 || e.Column < 1 || e.Message == "" || strings.ContainsAny(e.Error(), "\n\r") || len(e.Error()) > 2000 {
		t.Errorf("bad explanation %q", e)
	}
}
