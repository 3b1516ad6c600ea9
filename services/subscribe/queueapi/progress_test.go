package queueapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answered is what a client gets of work that reports twice a second, and then ends.
func answered(t *testing.T, accept string, seconds, n int, failed error) (r *httptest.ResponseRecorder, left error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		req := httptest.NewRequest(http.MethodPost, "/", nil)
		req.Header.Set(echo.HeaderAccept, accept)
		r = httptest.NewRecorder()
		p := newProgress(echo.New().NewContext(req, r))
		for i := range 2 * seconds {
			<-time.After(500 * time.Millisecond) // virtual
			p.report(i + 1)
		}
		left = p.end(n, failed)
	})
	return r, left
}

func TestProgressIsALineASecondForWhoAcceptsIt(t *testing.T) {
	failed := errors.New("the broker is away")
	for name, test := range map[string]struct {
		accept  string
		seconds int
		failed  error
		kind    string
		want    []string
	}{
		"a browser":            {"*/*", 3, nil, "application/json", []string{`{"count":7}`}},
		"JSON":                 {"application/json", 3, nil, "application/json", []string{`{"count":7}`}},
		"lines":                {"application/x-ndjson", 3, nil, ndjson, []string{`{"count":2}`, `{"count":4}`, `{"count":6}`, `{"count":7,"done":true}`}},
		"lines, among others":  {"text/html;q=0.1, application/x-ndjson ;q=0.9", 1, nil, ndjson, []string{`{"count":2}`, `{"count":7,"done":true}`}},
		"lines, done at once":  {"application/x-ndjson", 0, nil, ndjson, []string{`{"count":7,"done":true}`}},
		"failed at once":       {"application/x-ndjson", 0, failed, "", nil},
		"failed, no lines":     {"application/json", 3, failed, "", nil},
		"failed after a while": {"application/x-ndjson", 1, failed, ndjson, []string{`{"count":2}`, `{"count":7,"error":{`}},
	} {
		t.Run(name, func(t *testing.T) {
			r, left := answered(t, test.accept, test.seconds, 7, test.failed)
			if kind := r.Header().Get("Content-Type"); kind != test.kind || !errors.Is(left, test.failed) {
				t.Errorf("content type %q, error left %v; want %q, %v", kind, left, test.kind, test.failed)
			}
			var lines []string
			if body := strings.TrimSpace(r.Body.String()); body != "" {
				lines = strings.Split(body, "\n")
			}
			if len(lines) != len(test.want) {
				t.Fatalf("answered %q, want %q", lines, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(lines[i], want) || strings.Contains(lines[i], "broker") {
					t.Errorf("line %d is %s, want %s", i, lines[i], want)
				}
			}
		})
	}
}
