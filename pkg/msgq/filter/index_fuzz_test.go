package filter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// dice makes choices out of fuzzing's bytes.
type dice struct{ bytes []byte }

func (d *dice) roll(sides int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	n := int(d.bytes[0]) % sides
	d.bytes = d.bytes[1:]
	return n
}

func (d *dice) one(of []string) string { return of[d.roll(len(of))] }

var (
	dicePaths = []string{
		`data.a`, `data.b`, `data["a"]`, `data.a.b`, `data["a"].b`, `data.a["b"].a`, `data.a.a`, `data.l[0]`, `data["a-b"]`, `data`,
		`topic`, `id`, `datacontenttype`, `headers.a`, `headers["a"]`, `headers["b"]`, `seq`, `time`, `headers`,
	}
	diceConstants = []string{
		`"a"`, `"b"`, `""`, `"3"`, `3`, `3.0`, `3u`, `0`, `-0.0`, `-1`, `9007199254740992`, `9007199254740993`, `9007199254740992.0`, `9007199254740993u`,
		`18446744073709551615u`, `1e300`, `true`, `false`, `null`, `b"a"`, `"application/json"`,
	}
	diceValues = []string{
		`"a"`, `"b"`, `""`, `"3"`, `3`, `3.0`, `0`, `-0`, `-0.0`, `-1`, `9007199254740992`, `9007199254740993`, `9007199254740992.0`, `18446744073709551615`,
		`1e300`, `1e400`, `true`, `false`, `null`, `[]`, `{}`, `["a", 3]`,
	}
)

func (d *dice) filter(depth int) string {
	kinds := 11
	if depth > 0 {
		kinds = 20
	}
	path, constant := d.one(dicePaths), d.one(diceConstants)
	switch k := d.roll(kinds); k {
	default:
		return path + ` == ` + constant
	case 3:
		return constant + ` == ` + path
	case 4:
		return path + ` in [` + constant + `, ` + d.one(diceConstants) + `]`
	case 5:
		return path
	case 6:
		return `!` + path
	case 7:
		return d.one([]string{`has(data.a)`, `has(data.a.b)`, `has(headers.a)`, `topic.startsWith("a")`, `data.a.endsWith("")`, `data.a in []`, `"a" in data`, `"a" in headers`})
	case 8:
		return path + d.one([]string{` != `, ` < `, ` >= `, ` <= `, ` > `}) + constant
	case 9:
		return path + ` == ` + d.one(dicePaths)
	case 10:
		return `dyn(` + path + `) == ` + constant
	case 11, 12, 13:
		return `(` + d.filter(depth-1) + `) && (` + d.filter(depth-1) + `)`
	case 14, 15, 16:
		return `(` + d.filter(depth-1) + `) || (` + d.filter(depth-1) + `)`
	case 17:
		return `!(` + d.filter(depth-1) + `)`
	case 18:
		return `(` + d.filter(depth-1) + `) == true`
	case 19:
		return `(` + d.filter(depth-1) + `) ? (` + d.filter(depth-1) + `) : ` + path + ` == ` + constant
	}
}

func (d *dice) value(depth int) string {
	if depth == 0 || d.roll(3) == 0 {
		return d.one(diceValues)
	}
	var fields []string
	for range d.roll(5) {
		fields = append(fields, d.one([]string{`"a"`, `"b"`, `"l"`, `"a-b"`, `"c"`})+`: `+d.value(depth-1))
	}
	return `{` + strings.Join(fields, `, `) + `}`
}

func (d *dice) event() *Event {
	e := &Event{
		Topic: d.one([]string{"a", "b", ""}), ID: d.one([]string{"a", "3", ""}), Seq: uint64(d.roll(5)),
		DataContentType: d.one([]string{"application/json", "application/json", "application/json", "text/plain", "a"}), Data: []byte(d.value(3)),
	}
	if d.roll(8) == 1 {
		e.Seq = 9007199254740993 << d.roll(12) // beyond what CEL's int holds, in the end
	}
	if d.roll(8) == 1 {
		e.Data = append(e.Data, '}')
	}
	for range d.roll(3) {
		if e.Headers == nil {
			e.Headers = make(map[string]string)
		}
		e.Headers[d.one([]string{"a", "b"})] = d.one([]string{"a", "b", "", "3"})
	}
	return e
}

// FuzzIndex holds an index against each filter evaluated alone, while filters come and
// go, and each filter against itself with its cost metered and against CEL's own program.
func FuzzIndex(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		seed := make([]byte, 40+random.IntN(400))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &dice{data[:min(len(data), 1000)]}
		x, r := NewIndex(100), newIndexReader()
		for range 4 {
			for range 4 {
				r.add(t, x, d.filter(3))
			}
			for range 3 {
				r.check(t, x, d.event())
			}
			for range d.roll(4) {
				r.remove(x, d.roll(len(r.here)+1))
			}
		}
		for len(r.here) > 0 {
			r.remove(x, 0)
		}
		if x.Len() != 0 || len(x.scan) != 0 || len(x.root.fields) != 0 || len(x.free) != x.slots {
			t.Errorf("the empty index holds %+v", x)
		}
	})
}

// indexReader is one who adds filters to an index and knows what they say alone.
type indexReader struct {
	here, gone []*Entry // here: once for each Add
	alone      map[string]*Filter
	plain      map[string]cel.Program
	old        []*Matches
}

func newIndexReader() *indexReader {
	return &indexReader{alone: make(map[string]*Filter), plain: make(map[string]cel.Program)}
}

func (r *indexReader) add(t *testing.T, x *Index, text string) {
	f, ast, wrong := compile(text)
	e, err := x.Add(text)
	if fmt.Sprint(err) != fmt.Sprint(wrong) {
		t.Fatalf("Add(%s): %v, Compile: %v", text, err, wrong)
	}
	if err != nil {
		return
	}
	r.here, r.alone[text] = append(r.here, e), f
	env, _ := environment()
	if r.plain[text], err = env.Program(ast, cel.EvalOptions(cel.OptOptimize)); err != nil {
		t.Fatal(err)
	}
	for _, m := range r.old {
		if _, known := m.Has(e); known && !slices.Contains(r.here[:len(r.here)-1], e) {
			t.Errorf("%s is known of before it was there", text)
		}
	}
	r.old = nil
}

func (r *indexReader) remove(x *Index, i int) {
	if i >= len(r.here) {
		return
	}
	e := r.here[i]
	r.here = slices.Delete(r.here, i, i+1)
	x.Remove(e)
	if !slices.Contains(r.here, e) {
		r.gone = append(r.gone, e)
	}
}

func (r *indexReader) check(t *testing.T, x *Index, e *Event) {
	m := x.Match(e)
	r.old = append(r.old, m)
	for _, entry := range r.here {
		text := entry.Filter().String()
		want := r.alone[text].Match(e)
		if has, known := m.Has(entry); has != want || !known {
			t.Errorf("%s\n%+v %s\nHas = %v, %v, alone it is %v", text, e, e.Data, has, known, want)
		}
		if slices.Contains(m.Entries(), entry) != want {
			t.Errorf("%s\n%+v %s\nEntries has it: %v", text, e, e.Data, !want)
		}
		metered := Filter{program: program{r.alone[text].program.root, true}}
		if got := metered.Match(e); got != want {
			t.Errorf("%s\n%+v %s\nmetered %v, else %v", text, e, e.Data, got, want)
		}
		if got, _, _ := r.plain[text].Eval(&machine{event: e}); (got == types.True) != want {
			t.Errorf("%s\n%+v %s\nCEL says %v, we say %v", text, e, e.Data, got, want)
		}
	}
	for _, entry := range r.gone {
		if has, known := m.Has(entry); has || known {
			t.Errorf("%s is out: Has = %v, %v", entry.text, has, known)
		}
	}
	unique := make(map[*Entry]bool)
	for _, entry := range m.Entries() {
		unique[entry] = true
	}
	if len(unique) != len(m.Entries()) {
		t.Errorf("%d entries, %d different", len(m.Entries()), len(unique))
	}
}
