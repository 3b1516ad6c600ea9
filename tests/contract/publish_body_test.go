package contract_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBodyOverTheLimitIsTooLarge(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--max-body=1KiB"}})
	fits, large := strings.Repeat("x", 1024), strings.Repeat("x", 1025)
	const gzipped = "Content-Encoding: gzip"
	for name, headers := range map[string][]string{"as it is": nil, "gzip": {gzipped}} {
		body := fits
		if headers != nil {
			body = zip(t, fits)
		}
		if r := post(t, s, "a", body, headers...); r.Status != http.StatusCreated {
			t.Errorf("1024 bytes %s: status %d: %s", name, r.Status, r.Body)
		}
	}
	unknown := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) } // sent in chunks
	if r := s.DoReader(t, http.MethodPost, messagesURL(s, "a"), unknown(fits)); r.Status != http.StatusCreated {
		t.Errorf("1024 bytes in chunks: status %d: %s", r.Status, r.Body)
	}
	checkProblem(t, post(t, s, "a", large), http.StatusRequestEntityTooLarge, "too_large")
	checkProblem(t, s.DoReader(t, http.MethodPost, messagesURL(s, "a"), unknown(large)), http.StatusRequestEntityTooLarge, "too_large")
	bomb := zip(t, strings.Repeat("0", 500<<10))
	if len(bomb) > 1024 {
		t.Fatalf("the bomb has %d bytes: it must pass as a body and be too large only decoded", len(bomb))
	}
	checkProblem(t, post(t, s, "a", bomb, gzipped), http.StatusRequestEntityTooLarge, "too_large")
}

func TestOneMiBWithAllItsHeadersIsDelivered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	data := `"` + strings.Repeat("x", 1<<20-2) + `"`
	value := strings.Repeat("v", 16<<10-1)
	got := message(t, ws, "s", s.Publish(t, "a", data, "Msgq-Header-X: "+value))
	if string(got.Data) != data || got.Headers["x"] != value {
		t.Errorf("got %d bytes of data and %d of header", len(got.Data), len(got.Headers["x"]))
	}
	checkProblem(t, post(t, s, "a", data+" "), http.StatusRequestEntityTooLarge, "too_large")
}

func TestContentEncodings(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	for encoding, body := range map[string]string{"gzip": zip(t, `{"n": 1}`), "GZIP": zip(t, `{"n": 1}`), "identity": `{"n": 1}`} {
		t.Run(encoding, func(t *testing.T) { // names of codings have no case: RFC 9110, 8.4.1
			sent := s.Publish(t, "a", body, "Content-Encoding: "+encoding)
			if got := message(t, ws, "s", sent); string(got.Data) != `{"n":1}` {
				t.Errorf("data %s", got.Data)
			}
		})
	}

	const js = "Content-Type: application/json"
	checkProblem(t, post(t, s, "a", "x", "Content-Encoding: br"), http.StatusUnsupportedMediaType, "unsupported_encoding")
	checkProblem(t, post(t, s, "a", "x", "Content-Encoding: gzip, gzip"), http.StatusUnsupportedMediaType, "unsupported_encoding")
	checkProblem(t, post(t, s, "a", "x", "Content-Encoding: gzip"), http.StatusBadRequest, "invalid_request")
	cut := zip(t, strings.Repeat(`{"n":1}`, 100))
	checkProblem(t, post(t, s, "a", cut[:len(cut)-5], "Content-Encoding: gzip"), http.StatusBadRequest, "invalid_request")
	checkProblem(t, post(t, s, "a", zip(t, `{"n":`), "Content-Encoding: gzip", js), http.StatusBadRequest, "invalid_json")
}

func TestBodyThatSaysItIsJSONMustBe(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const js = "Content-Type: application/json"
	for name, body := range map[string]string{
		"empty": "", "cut off": `{"a":`, "a bare word": "hello", "two values": `{} {}`, "a single quote": `{'a':1}`, "NaN": "NaN",
		"not UTF-8": "\"\xff\"", "a byte order mark": "\ufeff{}", "a line break in a string": "\"a\nb\"",
		"nested too deep": strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, post(t, s, "a", body, js), http.StatusBadRequest, "invalid_json")
			checkProblem(t, post(t, s, "a", body, js+"; charset=utf-8"), http.StatusBadRequest, "invalid_json")
		})
	}
	for name, r := range map[string]harness.Response{
		"no content type":    post(t, s, "a", "{"),
		"another media type": post(t, s, "a", "{", "Content-Type: text/plain"),
	} {
		if r.Status != http.StatusCreated {
			t.Errorf("%s: status %d, want 201: what does not say it is JSON need not be", name, r.Status)
		}
	}
}

func TestPageOfAnotherSiteMustNotPublish(t *testing.T) {
	t.Parallel()
	const friend = "https://app.example.com"
	flags := []string{"--allowed-origins=" + friend}
	s := harness.Start(t, harness.Options{PublishFlags: flags, SubscribeFlags: flags})
	for name, base := range map[string]string{"publish service": s.PublishURL, "subscribe service, which passes it on": s.SubscribeURL} {
		t.Run(name, func(t *testing.T) {
			host := strings.TrimPrefix(base, "http://")
			for _, origin := range []string{"https://evil.example.com", "null", "https://" + host, "http://" + host + ".evil.com", friend + ".evil.com", "http://app.example.com"} {
				r := s.Do(t, http.MethodPost, base+"/v1/topics/a/messages", "x", "Origin: "+origin)
				checkProblem(t, r, http.StatusForbidden, "forbidden")
			}
			for _, origin := range []string{base, friend} {
				if r := s.Do(t, http.MethodPost, base+"/v1/topics/a/messages", "x", "Origin: "+origin); r.Status != http.StatusCreated {
					t.Errorf("origin %s: status %d: %s", origin, r.Status, r.Body)
				}
			}
		})
	}
}

func TestSubscribeServicePassesPublishesOn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	url := s.SubscribeURL + "/v1/topics/orders.created/messages"
	r := s.Do(t, http.MethodPost, url, `{"n":1}`, "Content-Type: application/json", "Idempotency-Key: x", "X-Request-Id: mine")
	var receipt harness.Receipt
	r.JSON(t, &receipt)
	if r.Status != http.StatusCreated || receipt != (harness.Receipt{ID: "x", Topic: "orders.created", Seq: 1}) {
		t.Errorf("status %d, %+v", r.Status, receipt)
	}
	if ids := r.Header.Values("X-Request-Id"); !slices.Equal(ids, []string{"mine"}) {
		t.Errorf("request ids %q, want one", ids)
	}
	checkProblem(t, s.Do(t, http.MethodPost, url, `{`, "Content-Type: application/json"), http.StatusBadRequest, "invalid_json")
	checkProblem(t, s.Do(t, http.MethodPost, s.SubscribeURL+"/v1/topics/a%2Fb/messages", `x`), http.StatusBadRequest, "invalid_topic")
	s.StopPublish()
	checkProblem(t, s.Do(t, http.MethodPost, url, `{}`), http.StatusServiceUnavailable, "broker_unavailable")
}

func TestWhatIsNotThereIsAProblem(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for _, request := range []string{"GET /", "GET /v1", "POST /v1/topics/a", "POST /v1/topics", "POST /v1/topics/a/messages/", "GET /nowhere?q=1"} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			checkProblem(t, s.Do(t, method, s.PublishURL+path, ""), http.StatusNotFound, "not_found")
		})
	}
	for request, allow := range map[string]string{"GET /v1/topics/a/messages": "POST", "PUT /v1/topics/a/messages": "POST", "DELETE /healthz": "GET"} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			r := s.Do(t, method, s.PublishURL+path, "")
			checkProblem(t, r, http.StatusMethodNotAllowed, "method_not_allowed")
			if got := r.Header.Get("Allow"); !strings.Contains(got, allow) {
				t.Errorf("Allow %q, want %s in it", got, allow)
			}
		})
	}
	r := s.Do(t, http.MethodPatch, s.SubscribeURL+"/v1/queues/q", "")
	checkProblem(t, r, http.StatusMethodNotAllowed, "method_not_allowed")
	if got := r.Header.Get("Allow"); !strings.Contains(got, "PUT") || !strings.Contains(got, "DELETE") {
		t.Errorf("Allow %q, want PUT and DELETE in it", got)
	}
	checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/nowhere", ""), http.StatusNotFound, "not_found")
}

func TestEveryServiceTellsHowItIs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	s.Publish(t, "a", `1`)
	for name, base := range map[string]string{"publish": s.PublishURL, "subscribe": s.SubscribeURL} {
		for path, want := range map[string]string{
			"/healthz": "", "/readyz": "", "/metrics": "msgq_http_request_duration_seconds_count",
		} {
			r := s.Do(t, http.MethodGet, base+path, "")
			if r.Status != http.StatusOK || !strings.Contains(string(r.Body), want) {
				t.Errorf("%s%s: status %d, want 200 with %q in it: %.300s", name, path, r.Status, want, r.Body)
			}
		}
	}
}

func TestRequestIDIsKeptUnlessItIsUnfit(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for id, kept := range map[string]bool{"abc-1_2.3": true, "a b": false, "<script>": false, strings.Repeat("x", 65): false} {
		r := post(t, s, "*", "x", "X-Request-Id: "+id)
		checkProblem(t, r, http.StatusBadRequest, "invalid_topic")
		if got := r.Header.Get("X-Request-Id"); (got == id) != kept {
			t.Errorf("id %q became %q", id, got)
		}
	}
}

func TestFullStreamThatRefusesSaysSo(t *testing.T) {
	t.Parallel()
	full := []string{"--max-bytes=1MiB", "--when-full=refuse"}
	s := harness.Start(t, harness.Options{PublishFlags: full, SubscribeFlags: full})
	data := strings.Repeat("x", 420<<10)
	for _, nearly := range []string{"0", "1"} { // of 1 MiB, 80 % are reached by the second
		if r := post(t, s, "a", data); r.Status != http.StatusCreated {
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
		for _, base := range []string{s.PublishURL, s.SubscribeURL} {
			line := `msgq_stream_nearly_full{stream="EVENTS"} ` + nearly
			msgqtest.Eventually(t, line, func() bool {
				return strings.Contains(string(s.Do(t, http.MethodGet, base+"/metrics", "").Body), line)
			})
		}
	}
	checkProblem(t, post(t, s, "a", data), http.StatusServiceUnavailable, "stream_full")
}
