package filter

import (
	"fmt"
	"runtime"
	"testing"
)

const smallPayload = `{"k": "v7", "n": 5, "m": 1000, "user": {"login": "ana"}, "tags": ["a", "b"]}`

// fillIndex makes an index of n filters of a form with their number in it.
func fillIndex(tb testing.TB, n int, form string) (*Index, []*Entry) {
	tb.Helper()
	x, entries := NewIndex(n), make([]*Entry, n)
	for i := range n {
		entries[i] = mustAdd(tb, x, fmt.Sprintf(form, i))
	}
	return x, entries
}

// BenchmarkIndexMatch is one message, decoding included.
func BenchmarkIndexMatch(b *testing.B) {
	for _, c := range []struct {
		name    string
		filters int
		form    string
	}{
		{"10000 equalities, 1 matches", 10_000, `data.k == "v%d" && data.n > 3`},
		{"10000 equalities, none matches", 10_000, `data.k == "w%d" && data.n > 3`},
		{"10000 behind the same topic", 10_000, `topic == "github.issues.opened" && data.k == "v%d"`},
		{"10000 of or", 10_000, `data.k == "v%d" || headers["user"] == "u%[1]d"`},
		{"10000 fields", 10_000, `data.f%d == 1`},
		{"1000 without equality, none matches", 1000, `data.n > 17 && data.m < 9%03d`},
		{"1000 without equality, all evaluated to the end", 1000, `data.n > 3 && data.m < 9%03d`},
		{"1000 prefixes", 1000, `topic.startsWith("a%d.")`},
	} {
		b.Run(c.name, func(b *testing.B) {
			x, _ := fillIndex(b, c.filters, c.form)
			b.ReportAllocs()
			for b.Loop() {
				x.Match(jsonEvent(smallPayload))
			}
		})
	}
}

// BenchmarkIndexMatchMany is one message that one filter in 100 holds for.
func BenchmarkIndexMatchMany(b *testing.B) {
	x := NewIndex(10_000)
	for i := range 10_000 {
		mustAdd(b, x, fmt.Sprintf(`data.n == %d && data.m > -%d`, i%100, i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(x.Match(jsonEvent(smallPayload)).Entries()); n != 100 {
			b.Fatalf("%d match", n)
		}
	}
}

// BenchmarkIndexNone is the floor of BenchmarkIndexMatch: the event alone, decoded.
func BenchmarkIndexNone(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		jsonEvent(smallPayload).payload()
	}
}

func BenchmarkIndexHas(b *testing.B) {
	x, entries := fillIndex(b, 1000, `data.n > %d`)
	m := x.Match(jsonEvent(smallPayload))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Has(entries[i%len(entries)])
	}
}

// BenchmarkIndexAdd adds 10,000 filters in each turn.
func BenchmarkIndexAdd(b *testing.B) {
	const n = 10_000
	b.ReportAllocs()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		x, _ := fillIndex(b, n, `data.k == "v%d" && data.n > 3`)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/filter")
		runtime.KeepAlive(x)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/filter")
}

func BenchmarkIndexAddSame(b *testing.B) {
	x := NewIndex(1)
	mustAdd(b, x, `data.k == "v"`)
	b.ReportAllocs()
	for b.Loop() {
		x.Remove(mustAdd(b, x, `data.k == "v"`))
	}
}
