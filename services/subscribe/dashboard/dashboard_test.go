package dashboard

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e := echo.New()
	Routes(e)
	e.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFilesHaveTheirTypes(t *testing.T) {
	for path, want := range map[string]string{
		"/":                       "text/html; charset=utf-8",
		"/dashboard/app.js":       "text/javascript; charset=utf-8",
		"/dashboard/style.css":    "text/css; charset=utf-8",
		"/dashboard/icon.svg":     "image/svg+xml",
		"/client/msgq.js":         "text/javascript; charset=utf-8",
		"/client/subscription.js": "text/javascript; charset=utf-8",
	} {
		r := get(http.MethodGet, path)
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != want {
			t.Errorf("%s: %d %q, want 200 %q", path, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
		if body(t, r) == "" {
			t.Errorf("%s is empty", path)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for path, want := range map[string]int{
		"/nothing":                 http.StatusNotFound,
		"/index.html":              http.StatusNotFound,
		"/dashboard/":              http.StatusNotFound,
		"/dashboard/index.html":    http.StatusNotFound,
		"/dashboard/nothing.js":    http.StatusNotFound,
		"/client/":                 http.StatusNotFound,
		"/client/embed.go":         http.StatusNotFound,
		"/client/msgq.test.mjs":    http.StatusNotFound,
		"/dashboard/%2e%2e/app.js": http.StatusNotFound,
	} {
		if r := get(http.MethodGet, path); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	r := get(http.MethodPost, "/")
	if r.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(r.Header.Get("Allow"), "GET") {
		t.Errorf("POST: %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
	r = get(http.MethodHead, "/")
	if r.StatusCode != http.StatusOK || body(t, r) != "" {
		t.Errorf("HEAD: %d, or a body", r.StatusCode)
	}
}

func TestEveryFileIsGuarded(t *testing.T) {
	for _, path := range []string{"/", "/client/msgq.js", "/dashboard/style.css"} {
		h := get(http.MethodGet, path).Header
		for name, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			"Content-Security-Policy": policy,
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s: %q", path, name, h.Get(name))
			}
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows what is unsafe")
	}
}

func TestAnUnchangedFileIsNotSentAgain(t *testing.T) {
	first := get(http.MethodGet, "/dashboard/app.js")
	etag := first.Header.Get("ETag")
	if etag == "" || first.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("ETag %q, Cache-Control %q", etag, first.Header.Get("Cache-Control"))
	}
	if r := get(http.MethodGet, "/dashboard/app.js", "If-None-Match", etag); r.StatusCode != http.StatusNotModified {
		t.Errorf("same ETag: %d", r.StatusCode)
	}
	if r := get(http.MethodGet, "/client/msgq.js", "If-None-Match", etag); r.StatusCode != http.StatusOK {
		t.Errorf("another file's ETag: %d", r.StatusCode)
	}
}

// TestAllThatIsNamedIsServed follows each reference in the page and its modules.
func TestAllThatIsNamedIsServed(t *testing.T) {
	reference := regexp.MustCompile(`(?:(?:href|src)=|from |@import )"(\.?/[^"]*)"`)
	seen := map[string]bool{}
	var follow func(string)
	follow = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		r := get(http.MethodGet, path)
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, r.StatusCode)
			return
		}
		for _, m := range reference.FindAllStringSubmatch(body(t, r), -1) {
			next := m[1]
			if rest, relative := strings.CutPrefix(next, "./"); relative {
				next = path[:strings.LastIndex(path, "/")+1] + rest
			}
			follow(next)
		}
	}
	follow("/")
	if len(seen) < 10 {
		t.Errorf("only %d files were found: %v", len(seen), seen)
	}
}

// TestThePageKeepsToItsPolicy finds what the browser would refuse.
func TestThePageKeepsToItsPolicy(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:[^>]*)>[^<]|https?://`)
	if found := inline.FindString(body(t, get(http.MethodGet, "/"))); found != "" {
		t.Errorf("index.html has %q", found)
	}
}

// TestNoScriptMakesHTML: messages come from anybody.
func TestNoScriptMakesHTML(t *testing.T) {
	makes := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`)
	entries, err := static.ReadDir("static")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := static.ReadFile("static/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := makes.Find(content); found != nil {
			t.Errorf("%s: %s", entry.Name(), found)
		}
	}
}
