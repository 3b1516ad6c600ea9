package filter

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// patience is far above what anything here takes (16 ms at most, without the race
// detector) and far below what an unbounded one would (seconds to hours).
const patience = 2 * time.Second

func within(t *testing.T, what string, do func()) {
	t.Helper()
	start := time.Now()
	do()
	if took := time.Since(start); took > patience {
		t.Errorf("%s took %v", what, took)
	}
}

// fill repeats a term up to the length that a filter may have.
func fill(term, operator string) string {
	n := (MaxLength - len(term)) / (len(term) + len(operator))
	return strings.Repeat(term+operator, n) + term
}

func TestHostileTextCompilesOrFailsFast(t *testing.T) {
	for _, unit := range []string{
		"(", "[", "{", "{1:", "!", "-", "a.", "a(", "a[", "a+", "a?b:", "true&&", "true==", "has(", "data[", "= ", "\"", "'''", "\\", "\n", "é", "\x00", "/*", "//", "1.", "0x", "a b ", "in ",
	} {
		within(t, fmt.Sprintf("Compile of many %q", unit), func() {
			_, err := Compile(strings.Repeat(unit, MaxLength/len(unit)))
			if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000) {
				t.Errorf("many %q: %.200q", unit, err)
			}
		})
	}
}

func TestHugeRegexIsRefusedBeforeItIsWrittenOut(t *testing.T) {
	for _, pattern := range []string{
		strings.Repeat("a{1000}", 280), strings.Repeat("(a{30}){30}", 170), strings.Repeat(".{0,999}", 250), strings.Repeat("[a-z]{9,}", 200),
	} {
		within(t, pattern[:10], func() {
			if _, err := Compile(`topic.matches("` + pattern + `")`); err == nil || !strings.Contains(err.Error(), "too large") {
				t.Errorf("%.10s: %v", pattern, err)
			}
		})
	}
	within(t, "character classes", func() { mustCompile(t, `topic.matches(r"(?i)`+strings.Repeat(`\pL`, 600)+`")`) })
}

func TestDeepPayloadIsReadOrNull(t *testing.T) {
	for _, c := range []struct {
		depth int
		null  bool
	}{{9_000, false}, {100_000, true}, {500_000, true}} {
		within(t, fmt.Sprint(c.depth, " deep"), func() {
			e := jsonEvent(strings.Repeat("[", c.depth) + strings.Repeat("]", c.depth))
			if got := mustCompile(t, `data == null`).Match(e); got != c.null {
				t.Errorf("%d deep: data == null is %v", c.depth, got)
			}
			mustCompile(t, fill(`data != data`, "||")).Match(e)
			mustCompile(t, `[data] == [data[0]] || data in [data]`).Match(e)
		})
	}
	e := jsonEvent(strings.Repeat(`{"a":`, 100_000))
	within(t, "open objects", func() { mustCompile(t, `data.a`).Match(e) })
}

// Each is repeated over the whole length of a filter, and evaluated against what
// makes it as slow as it can be.
func TestCostIsBounded(t *testing.T) {
	text := jsonEvent(`{"s": "` + strings.Repeat("a", 1<<20) + `", "o": {"x": 1}}`)
	numbers := jsonEvent(`{"l": [` + strings.Repeat("1,", 1<<19) + `1], "m": [` + strings.Repeat("1,", 1<<18) + `1]}`)
	objects := jsonEvent(`{"l": [` + strings.Repeat(`{"a":[1]},`, 100_000) + `0]}`)
	for _, c := range []struct {
		event *Event
		terms []string
	}{
		{text, []string{
			`size(data.s)<0`, `int(data.s)<0`, `double(data.s)<0.0`, `timestamp(data.s)<time`, `duration(data.s)<duration("1s")`, `bool(data.s)`,
			`data[data.s]`, `data.o[data.s]`, `headers[data.s]=="a"`, `data.s.contains("b")`, `data.s.contains("` + strings.Repeat("a", 800) + `b")`,
			`data.s.matches("(a?){300}b")`, `data.s.matches("(a*)*b")`, `data.s==data.s+"b"`, `data.s<data.s`, `data.s!=data.s`, `data.s in ["b"]`,
			`bytes(data.s)==b""`, `time.getHours(data.s)<0`, `time.getHours("Europe/Berlin")<0`, `{data.s:1}=={}`, `(data.s+data.s+data.s)==""`,
		}},
		{numbers, []string{
			`data!=data`, `data.l!=data.l`, `2 in data.l`, `data.l in [data.m]`, `(data.l+data.l)[900000]==2`, `2 in (data.l+data.m)`,
			`[[data.l]]!=[[data.l]]`, `{"a":data.l}!={"a":data.l}`, `data.l+data.m!=data.m+data.l`, `size(data.l+data.l)<0`,
		}},
		{objects, []string{`data!=data`, `{"a":[2]} in data.l`, `!(data.l[0] in data.l)`, `string(data.l)=="a"`, `[data,data,data]!=[data,data,data]`}},
	} {
		c.event.payload() // decoding is not what is measured
		for _, term := range c.terms {
			f := mustCompile(t, fill(term, "||"))
			within(t, term, func() {
				if f.Match(c.event) {
					t.Errorf("%.40s matches", term)
				}
			})
		}
	}
}

func TestTooExpensiveIsNoMatchWithAReason(t *testing.T) {
	e := jsonEvent(`{"s": "` + strings.Repeat("a", 500_000) + `"}`)
	holds, err := mustCompile(t, `data.s.matches("(a|b)*c") || true`).Check(e)
	if holds || err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("Check = %v, %v", holds, err)
	}
}

func TestOrdinaryFiltersReachThroughTheLargestPayload(t *testing.T) {
	e := jsonEvent(`{"s": "` + strings.Repeat("a", 1<<20-20) + `needle"}`)
	for _, text := range []string{`data.s.contains("needle")`, `size(data.s) > 1000000`, `data.s.endsWith("needle") && data.s.startsWith("aa")`, `data.s != "b"`, `has(data.s)`} {
		if holds, err := mustCompile(t, text).Check(e); !holds || err != nil {
			t.Errorf("Check(%s) = %v, %v", text, holds, err)
		}
	}
	long := jsonEvent(`{"s": "` + strings.Repeat("a", 25_000) + `needle"}`)
	if holds, err := mustCompile(t, `data.s.matches("(?i)needle|fatal|panic")`).Check(long); !holds || err != nil {
		t.Errorf("regex over 25 kB: %v, %v", holds, err)
	}
}
