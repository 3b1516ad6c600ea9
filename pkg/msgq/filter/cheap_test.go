package filter

import (
	"strings"
	"testing"
	"time"
)

func TestCheapFiltersAreNotMetered(t *testing.T) {
	for _, c := range []struct {
		text    string
		metered bool
	}{
		{`data.k == "v" && data.n > 3 || !(data.m != null) && seq <= 7`, false},
		{`has(data.a.b) ? data["a"].b[0] == 1 : headers["x"] in ["a", "b"]`, false},
		{`topic.startsWith("a") && data.s.endsWith("z")`, false},
		{`data.a == data.b`, true},
		{`data.a < data.b`, true},
		{`data.a == [1]`, true},
		{`data.a in data.b`, true},
		{`data.a in [1, data.b]`, true},
		{`data.a[data.b] == 1`, true},
		{`data.a.startsWith(data.b)`, true},
		{`data.a.contains("b")`, true},
		{`data.a.matches("b")`, true},
		{`size(data.a) == 1`, true},
		{`int(data.a) == 1`, true},
		{`data.a + 1 == 2`, true},
		{`!(data.k == "v" && data.a.contains("b"))`, true},
	} {
		if f := mustCompile(t, c.text); f.program.metered != c.metered {
			t.Errorf("%s: metered is %v", c.text, f.program.metered)
		}
	}
}

// Nothing stops them, so the longest of them on the largest payloads must be fast.
func TestCheapFiltersAreCheapOnAnyPayload(t *testing.T) {
	const most = 100 * time.Millisecond // each took at most 2 ms
	events := []*Event{
		jsonEvent(`{"s": "` + strings.Repeat("a", 1<<20) + `"}`),
		jsonEvent(`{"s": [` + strings.Repeat("1,", 1<<19) + `1]}`),
		jsonEvent(`{"s": {` + strings.Repeat(`"a":{},`, 1<<16) + `"b":1}}`),
		jsonEvent(strings.Repeat(`{"s":`, 9000) + `1` + strings.Repeat(`}`, 9000)),
	}
	for _, term := range []string{
		`data.s in ["b"]`, `data.s in ["b", b"b"]`, `data.s in [1, null]`, `data.s == "b"`, `"b" > data.s`, `data.s != b"b" && data.s == 1`, `data.s == null`,
		`data.s.startsWith("b")`, `data.s.endsWith("` + strings.Repeat("a", 900) + `b")`, `data.s < "` + strings.Repeat("a", 900) + `"`, `data` + strings.Repeat(`.s`, 90) + ` == 2`,
		`!data.s`, `(data.s ? true : false)`, `data.s[0] == 2`,
	} {
		f := mustCompile(t, fill(term, " || "))
		for i, e := range events {
			e.payload() // decoding is not what is measured
			began := time.Now()
			f.Match(e)
			took := time.Since(began)
			t.Logf("%.30s, payload %d: %v", term, i, took)
			if took > most {
				t.Errorf("%.30s, payload %d: %v", term, i, took)
			}
		}
	}
}
