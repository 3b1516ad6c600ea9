package filter

import (
	"fmt"
	"strings"
	"testing"
)

// tenKilobytes is a payload of about the size and shape of a GitHub event.
func tenKilobytes() string {
	var b strings.Builder
	b.WriteString(`{"action": "opened", "number": 1347, "issue": {"comments": 4, "title": "Fix the spinner", "labels": ["bug", "ui"]`)
	for i := range 60 {
		fmt.Fprintf(&b, `, "repository_%d": {"id": %d, "private": false, "html_url": "https://github.example/octo/repo-%d", "fork": null, "owner": {"login": "octocat", "rank": %d.5}}`, i, 186853002+i, i, i)
	}
	b.WriteString(`}}`)
	return b.String()
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"envelope", `topic.startsWith("github.")`},
		{"equality", `data.action == "opened"`},
		{"equality and number", `data.action == "opened" && data.issue.comments > 3`},
		{"in a constant list", `headers["region"] in ["eu", "us"]`},
		{"in a payload list", `"ui" in data.issue.labels`},
		{"contains", `data.issue.title.contains("spin")`},
		{"matches", `data.issue.title.matches("^Fix .*r$")`},
		{"no match", `data.action == "closed"`},
		{"missing field", `data.nope == "closed"`},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, e := mustCompile(b, c.text), jsonEvent(tenKilobytes())
			e.payload()
			b.ReportAllocs()
			for b.Loop() {
				f.Match(e)
			}
		})
	}
}

func BenchmarkMatchWithDecoding(b *testing.B) {
	f, data := mustCompile(b, `data.action == "opened"`), tenKilobytes()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Match(jsonEvent(data))
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustCompile(b, `data.action == "opened" && data.issue.comments > 3`)
	}
}
