package filter

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func mustAdd(tb testing.TB, x *Index, text string) *Entry {
	tb.Helper()
	e, err := x.Add(text)
	if err != nil {
		tb.Fatalf("Add(%q): %v", text, err)
	}
	return e
}

// What the fuzz test finds by luck: each constant against each value at each place.
func TestIndexFindsEveryValueThatAFilterFinds(t *testing.T) {
	x, r := NewIndex(2000), newIndexReader()
	for _, path := range []string{`data.a`, `data["a"]`, `data.b.a`, `topic`, `id`, `headers.a`, `headers["a"]`, `seq`} {
		for _, constant := range diceConstants {
			for _, form := range []string{`%s == %s`, `%[2]s == %[1]s`, `%s in [%s]`, `%s in ["x", %s]`, `%s != %s`, `%s < %s`, `%s <= %s`, `%s > %s`, `%s >= %s`} {
				if text := fmt.Sprintf(form, path, constant); compiles(text) {
					r.add(t, x, text)
				}
			}
		}
	}
	for _, text := range []string{
		`data.a`, `!data.a`, `!!data.a`, `data.b.a && !data.a`, `!data.a || !data.b.a`, `data`, `!data`, `data == null`,
		`(data.a == "a" && seq > 100) || topic == "none"`, `(data.a == "a" || data.a == 3) && id != "none"`, `data.a == 3 && data.a == 3`,
		`data.a in [3, "a", true] && data.b.a`, `data.a in [3, 9007199254740993] && data.b.a >= 3`, `data.a == 3 && (data.b.a == 3.0 && id == "3")`,
		`!(data.a == 3) && data.b.a == "a"`, `data.a == "a" && data.missing > 3`, `data.a == 3 && data.b.a`, `data.b.a && data.a == "a"`,
	} {
		r.add(t, x, text)
	}
	for i, value := range diceValues {
		e := jsonEvent(fmt.Sprintf(`{"a": %s, "b": {"a": %[1]s}}`, value))
		text := strings.Trim(value, `"`)
		e.Topic, e.ID, e.Headers, e.Seq = text, text, map[string]string{"a": text}, uint64(i)
		r.check(t, x, e)
		r.check(t, x, jsonEvent(value))
	}
}

func TestWhatCannotBeEvaluatedIsCounted(t *testing.T) {
	for _, c := range []struct {
		text   string
		failed int
	}{
		{`data.a == "x" && data.n`, 1},
		{`data.a == "x" && data.missing > 3`, 1},
		{`data.a == "x" && data.n < "y"`, 1},
		{`data.a == "x" && data.missing > 3 && data.n > 3`, 0}, // false whatever it is
		{`data.a == "y" && data.missing > 3`, 0},               // ruled out before
		{`data.a == "x" && data.n > 1`, 0},
	} {
		x := NewIndex(1)
		mustAdd(t, x, c.text)
		if m := x.Match(jsonEvent(`{"a": "x", "n": 2}`)); m.Failed() != c.failed {
			t.Errorf("%s: %d failed, want %d", c.text, m.Failed(), c.failed)
		}
	}
}

func TestMeteredFilterIsEvaluatedWhole(t *testing.T) {
	x := NewIndex(1)
	e := mustAdd(t, x, `data.a == "x" && data.b.contains("y")`) // else its cost would end later than without an index
	if e.rest.root != e.filter.program.root {
		t.Error("a part of it is left out")
	}
}

func compiles(text string) bool {
	_, err := Compile(text)
	return err == nil
}

func TestFilterIsFoundByWhatItCannotDoWithout(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // the choices
	}{
		{"an equality", `data.a == "x"`, `data.a="x"`},
		{"an equality the other way round", `3 == data["a"].b`, `data.a.b=3`},
		{"in", `headers["x-y"] in ["a", "b"]`, `headers.x-y="a"|headers.x-y="b"`},
		{"a boolean field", `data.a`, `data.a=true`},
		{"its negation", `!data.a`, `data.a=false`},
		{"null", `data.a == null`, `data.a=null`},
		{"both sides of and", `topic == "t" && data.n > 3 && data.a == 1u`, `topic="t" data.a=1`},
		{"both sides of or", `id == "1" || data.a == true`, `id="1"|data.a=true`},
		{"and within or", `id == "1" || data.a == 2 && data.b == 3`, `id="1"|data.a=2 id="1"|data.b=3`},
		{"or with a side that anything may satisfy", `id == "1" || data.a > 2`, ``},
		{"inequality", `data.a != 1`, ``},
		{"negated equality", `!(data.a == 1)`, ``},
		{"presence", `has(data.a)`, ``},
		{"presence compared", `has(data.a) == true`, ``},
		{"two fields", `data.a == data.b`, ``},
		{"an element", `data.l[0] == 1`, ``},
		{"a computed name", `data[topic] == 1`, ``},
		{"a constant that is computed", `data.a == 1 + 1`, ``},
		{"a choice", `data.a == 1 ? true : false`, ``},
		{"in an empty list", `data.a in []`, ``},
		{"in a list that is not constant", `data.a in [1, data.b]`, ``},
		{"in a list in the message", `1 in data.l`, ``},
		{"bytes", `data.a == b"x"`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ast, err := compile(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, choice := range choices(ast.NativeRep().Expr()) {
				var hooks []string
				for _, h := range choice {
					value := fmt.Sprint(h.value.Value())
					switch v := h.value.Value().(type) {
					case string:
						value = fmt.Sprintf("%q", v)
					case bool, float64:
					default:
						value = "null"
					}
					hooks = append(hooks, strings.Join(h.path, ".")+"="+value)
				}
				got = append(got, strings.Join(hooks, "|"))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("choices of %s: %s, want %s", c.text, got, c.want)
			}
		})
	}
}

func TestFilterIsFoundByItsLeastCommonEquality(t *testing.T) {
	x := NewIndex(1000)
	for i := range 300 {
		mustAdd(t, x, fmt.Sprintf(`topic == "t" && data.flag && data.k == "v%d"`, i))
	}
	if n := len(x.root.at([]string{"topic"}).values) + len(x.root.at([]string{"data", "flag"}).values); n > 2 {
		t.Errorf("%d places", n)
	}
	e := jsonEvent(`{"k": "v7", "flag": true}`)
	e.Topic = "t"
	p := &pass{}
	run, err := start(e)
	if err != nil {
		t.Fatal(err)
	}
	defer run.stop()
	x.collect(p, &Matches{}, run)
	if len(p.found) > 20 {
		t.Errorf("%d of 300 filters would be evaluated", len(p.found))
	}
	if m := x.Match(e); len(m.Entries()) != 1 {
		t.Errorf("%d match", len(m.Entries()))
	}
}

func TestSameTextIsOneFilter(t *testing.T) {
	x := NewIndex(1)
	a := mustAdd(t, x, `data.flag`)
	if b := mustAdd(t, x, `data.flag`); a != b || x.Len() != 1 {
		t.Errorf("%p and %p, Len() = %d", a, b, x.Len())
	}
	x.Remove(a)
	if _, known := x.Match(jsonEvent(issue)).Has(a); !known {
		t.Error("out, with one user left")
	}
	x.Remove(a)
	x.Remove(a) // once too often is harmless
	if _, known := x.Match(jsonEvent(issue)).Has(a); known || x.Len() != 0 {
		t.Errorf("still in: Len() = %d", x.Len())
	}
}

func TestIndexRefuses(t *testing.T) {
	x := NewIndex(2)
	for range 3 {
		if _, err := x.Add(`data.a = 1`); !isFilterError(err) {
			t.Errorf("Add: %v", err)
		}
	}
	if x.Len() != 0 {
		t.Errorf("bad filters stay: Len() = %d", x.Len())
	}
	a, b := mustAdd(t, x, `data.a`), mustAdd(t, x, `data.b`)
	if _, err := x.Add(`data.c`); !errors.Is(err, ErrTooMany) {
		t.Errorf("Add past the limit: %v", err)
	}
	mustAdd(t, x, `data.a`) // is there already
	x.Remove(b)
	mustAdd(t, x, `data.c`)
	if a.Filter().String() != `data.a` {
		t.Errorf("Filter() = %s", a.Filter())
	}
}

func isFilterError(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}

// A slot that a new filter takes over must not answer for the old one, nor for the
// new one what the old one's event was.
func TestMatchesOutliveFilters(t *testing.T) {
	for _, texts := range [][2]string{{`data.flag`, `data.off`}, {`data.number > 1`, `data.number < 1`}} {
		x := NewIndex(10)
		yes := mustAdd(t, x, texts[0])
		before := x.Match(jsonEvent(issue))
		x.Remove(yes)
		no := mustAdd(t, x, texts[1])
		after := x.Match(jsonEvent(issue))
		if yes.slot != no.slot {
			t.Fatal("the slot is not used again")
		}
		for _, c := range []struct {
			name           string
			m              *Matches
			e              *Entry
			matched, known bool
		}{
			{"the old filter then", before, yes, true, true},
			{"the new filter then", before, no, false, false},
			{"the old filter now", after, yes, false, false},
			{"the new filter now", after, no, false, true},
		} {
			if matched, known := c.m.Has(c.e); matched != c.matched || known != c.known {
				t.Errorf("%s: Has = %v, %v", c.name, matched, known)
			}
		}
		if len(before.Entries()) != 1 || before.Entries()[0] != yes || len(after.Entries()) != 0 {
			t.Errorf("%d and %d entries", len(before.Entries()), len(after.Entries()))
		}
	}
}

func TestIndexDecodesOnlyForFiltersOverData(t *testing.T) {
	x := NewIndex(10)
	mustAdd(t, x, `topic == "no" && data.flag && data.number > 3`)
	mustAdd(t, x, `headers.region == "eu"`)
	e := jsonEvent(issue)
	if m := x.Match(e); len(m.Entries()) != 1 || e.decoded != nil {
		t.Errorf("%d entries, decoded: %v", len(m.Entries()), e.decoded != nil)
	}
}

func TestFailedEvaluationsAreCounted(t *testing.T) {
	x := NewIndex(10)
	for _, text := range []string{`data.nope > 3`, `data.number / 0 == 1`, `data.number > 3`, `data.number`, `data.nope == 1`} {
		mustAdd(t, x, text)
	}
	if m := x.Match(jsonEvent(issue)); m.Failed() != 2 { // the index rules out the last two
		t.Errorf("Failed() = %d", m.Failed())
	}
}

func TestIndexIsSafeForConcurrentUse(t *testing.T) {
	x := NewIndex(100)
	always := mustAdd(t, x, `data.flag`)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				text := fmt.Sprintf(`data.number == %d && data.flag || id in ["4f2a", "x"]`, (i+j)%7)
				if j%2 == 0 {
					text = fmt.Sprintf(`data.number > %d`, (i+j)%7)
				}
				e, err := x.Add(text)
				if err != nil {
					t.Error(err)
					return
				}
				if matched, known := x.Match(jsonEvent(issue)).Has(e); !matched || !known {
					t.Errorf("%s: Has = %v, %v", text, matched, known)
				}
				x.Remove(e)
			}
		})
		wg.Go(func() {
			for range 100 {
				m := x.Match(jsonEvent(issue))
				for _, e := range m.Entries() {
					if matched, known := m.Has(e); known && !matched {
						t.Errorf("%s: among the entries, and does not match", e.Filter())
					}
				}
				if matched, known := m.Has(always); !matched || !known {
					t.Error("the filter that is always there is not")
				}
			}
		})
	}
	wg.Wait()
	if x.Len() != 1 {
		t.Errorf("Len() = %d", x.Len())
	}
}

func TestEachFilterHasItsOwnCostLimit(t *testing.T) {
	x := NewIndex(10)
	for i := range 10 { // each costs more than half of the limit
		mustAdd(t, x, fmt.Sprintf(`data.s.contains("needle") && data.s.contains("needle") && seq != %d`, i))
	}
	e := jsonEvent(`{"s": "` + strings.Repeat("a", 400_000) + `needle"}`)
	if m := x.Match(e); len(m.Entries()) != 10 || m.Failed() != 0 {
		t.Errorf("%d of 10 match, %d failed", len(m.Entries()), m.Failed())
	}
}

func TestGrowingIndexEvaluatesEachFilterOnce(t *testing.T) {
	x, e := NewIndex(1000), jsonEvent(issue)
	for i := range 300 {
		mustAdd(t, x, fmt.Sprintf(`data.action == "opened" || data.number == 1347 || seq == %d`, 1000+i))
		if m := x.Match(e); len(m.Entries()) != i+1 {
			t.Fatalf("%d of %d match", len(m.Entries()), i+1)
		}
	}
}
