package contract_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// raw sends bytes as they are and returns the answer; the connection's writing side stays open.
func raw(t *testing.T, s *harness.Stack, text string) harness.Response {
	t.Helper()
	return rawExchange(t, s.PublishURL, text, false)
}

// rawExchange is raw that may close the writing side.
func rawExchange(t *testing.T, url, text string, end bool) harness.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(msgqtest.Timeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if end {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to %.100q: %v", text, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Response{Status: res.StatusCode, Header: res.Header, Body: body}
}

func request(headers, body string) string {
	return "POST /v1/topics/a/messages HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body
}

func TestRequestsThatBreakTheRulesStoreNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--read-timeout=500ms"}})
	for name, text := range map[string]string{
		"NUL in a value":                  request("Msgq-Header-X: a\x00b\r\nContent-Length: 1\r\n", "x"),
		"bare CR in a value":              request("Msgq-Header-X: a\rb\r\nContent-Length: 1\r\n", "x"),
		"a header folded":                 request("Msgq-Header-X: a\r\n b\x01\r\nContent-Length: 1\r\n", "x"),
		"NUL in a name":                   request("Msgq-\x00: a\r\nContent-Length: 1\r\n", "x"),
		"a space before the colon":        request("Msgq-Header-X : a\r\nContent-Length: 1\r\n", "x"),
		"two lengths":                     request("Content-Length: 1\r\nContent-Length: 2\r\n", "xx"),
		"a negative length":               request("Content-Length: -1\r\n", ""),
		"half an escape in the path":      "POST /v1/topics/a%z/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"NUL in the path":                 "POST /v1/topics/a\x00/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"two hosts":                       "POST /v1/topics/a/messages HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 1\r\n\r\nx",
		"a chunk that is none":            request("Transfer-Encoding: chunked\r\n", "zz\r\nx\r\n"),
		"fewer bytes than Content-Length": request("Content-Length: 10\r\n", "x"),
		"chunks without end":              request("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"),
		"a CloudEvent with NUL":           request("ce-id: 1\r\nce-source: a\x00\r\nce-type: t\r\nce-specversion: 1.0\r\nContent-Length: 1\r\n", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			code := "invalid_header"
			switch name {
			case "NUL in the path", "half an escape in the path", "a chunk that is none", "fewer bytes than Content-Length", "chunks without end":
				code = "invalid_request"
			}
			checkProblem(t, raw(t, s, text), http.StatusBadRequest, code)
		})
	}
	checkProblem(t, raw(t, s, request("Content-Length: 10\r\n", "x")), http.StatusBadRequest, "invalid_request")
	checkProblem(t, raw(t, s, request("Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 1\r\n", "x")), http.StatusBadRequest, "invalid_header")
	long := "POST /v1/topics/" + strings.Repeat("a", 5000) + "/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
	checkProblem(t, raw(t, s, long), http.StatusBadRequest, "invalid_topic")
	large := raw(t, s, request("X: "+strings.Repeat("x", 80<<10)+"\r\nContent-Length: 1\r\n", "x"))
	checkProblem(t, large, http.StatusRequestHeaderFieldsTooLarge, "too_large")
	checkProblem(t, raw(t, s, request("Expect: 200-maybe\r\nContent-Length: 1\r\n", "x")), http.StatusExpectationFailed, "invalid_request")
	checkProblem(t, raw(t, s, request("Transfer-Encoding: gzip\r\n", "x")), http.StatusNotImplemented, "invalid_request")
	if r := s.Publish(t, "a", `1`); r.Seq != 1 {
		t.Errorf("seq %d, want 1: nothing refused may be stored", r.Seq)
	}
}

// As nc -N does, and whoever closes the half that it does not need any more.
func TestClientThatSendsNoMoreGetsItsAnswer(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for name, text := range map[string]string{
		"one":     request("Content-Length: 1\r\n", "x"),
		"with id": request("Idempotency-Key: a\r\nContent-Length: 1\r\n", "x"),
		"delayed": request("Idempotency-Key: b\r\nMsgq-Delay: 1h\r\nContent-Length: 1\r\n", "x"),
		"atomic": "POST /v1/messages?atomic=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 22\r\n\r\n" +
			`{"topic":"a","data":1}`,
		"list":  "GET /v1/delayed HTTP/1.1\r\nHost: x\r\n\r\n",
		"ready": "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				if r := rawExchange(t, s.PublishURL, text, true); r.Status >= 300 {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			}
		})
	}
}

func TestAnswerQuotesNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	long := strings.Repeat("\ufffe", 100_000)
	var items []string
	for _, member := range []string{"topic", "id", "delay", "deliver_at", "ttl", "datacontenttype", long} {
		items = append(items, fmt.Sprintf(`{"topic":"a","data":1,%s:%s}`, quote(member), quote(long)))
	}
	items = append(items, fmt.Sprintf(`{"topic":"a","data":1,"headers":{%s:"x"}}`, quote(long)))
	r := postBatch(t, s, "", strings.Join(items, "\n"), ndjson)
	if len(resultsOf(t, r)) != len(items) || len(r.Body) > 20<<10 {
		t.Errorf("%d bytes for %d results", len(r.Body), len(items))
	}
	event := eventJSON(object{"time": long, "specversion": long})
	if r := post(t, s, "a", event, structured); r.Status != http.StatusBadRequest || len(r.Body) > 4<<10 {
		t.Errorf("%d, %d bytes", r.Status, len(r.Body))
	}
}

func TestMoreBytesThanContentLengthAreAnotherRequest(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	if r := raw(t, s, request("Content-Type: text/plain\r\nContent-Length: 1\r\n", "xyz")); r.Status != http.StatusCreated {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
	if f := ws.WaitType("message"); string(f.Data) != `"x"` {
		t.Errorf("stored %s, want x", f.Raw)
	}
}

func TestBodyThatComesByteByByteIsGivenUp(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--read-timeout=500ms"}})
	body, write := io.Pipe()
	go func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			<-ticker.C
			if _, err := write.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	defer body.Close()
	checkProblem(t, s.DoReader(t, http.MethodPost, messagesURL(s, "a"), body), http.StatusBadRequest, "invalid_request")
}

func TestRepeatedHeadersAreJoined(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	s.Publish(t, "a", `1`, "Msgq-Header-X: a", "msgq-header-x: b")
	if f := ws.WaitType("message"); f.Headers["x"] != "a, b" {
		t.Errorf("headers %v, want a, b: RFC 9110, 5.3", f.Headers)
	}
	checkProblem(t, post(t, s, "a", `1`, "Msgq-TTL: 1h", "Msgq-TTL: 2h"), http.StatusUnprocessableEntity, "invalid_ttl")
}

func TestCallerOverItsRateIsToldWhenToComeAgain(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--rate=5"}})
	limited := func() (r harness.Response) {
		for range 20 {
			if r = post(t, s, "a", "x"); r.Status != http.StatusCreated {
				break
			}
			if r.Header.Get("RateLimit") == "" || r.Header.Get("RateLimit-Policy") != `"caller";q=5;w=1` {
				t.Errorf("headers %v", r.Header)
			}
		}
		return r
	}
	r := limited()
	var p problem
	r.JSON(t, &p)
	if r.Status != http.StatusTooManyRequests || p.Code != "rate_limited" || r.Header.Get("Retry-After") != "1" || r.Header.Get("RateLimit") != `"caller";r=0;t=1` {
		t.Errorf("status %d, headers %v: %s", r.Status, r.Header, r.Body)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.yaml"} {
		if r := s.Do(t, http.MethodGet, s.PublishURL+path, ""); r.Status != http.StatusOK {
			t.Errorf("%s: status %d, want 200: it is not publishing", path, r.Status)
		}
	}
	msgqtest.Eventually(t, "a batch, once the rate allows", func() bool {
		r := postBatch(t, s, "", strings.Repeat(`{"topic":"a","data":1}`, 100), ndjson)
		return r.Status == http.StatusOK
	})
	r = post(t, s, "a", "x")
	var seconds int
	if _, err := fmt.Sscan(r.Header.Get("Retry-After"), &seconds); err != nil || r.Status != http.StatusTooManyRequests || seconds < 15 {
		t.Errorf("after 100 in a batch: status %d, Retry-After %q, want about 20", r.Status, r.Header.Get("Retry-After"))
	}
}

func TestReadinessComesBackWhenAProbeWasStored(t *testing.T) {
	t.Parallel()
	flags := []string{"--max-bytes=1MiB", "--when-full=refuse"}
	s := harness.Start(t, harness.Options{PublishFlags: flags, SubscribeFlags: flags})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	for size := 300 << 10; size > 0; size /= 2 { // to the last byte: a probe is small
		for post(t, s, "a", strings.Repeat("x", size)).Status == http.StatusCreated {
			ws.WaitType("message")
		}
	}
	checkProblem(t, s.Do(t, http.MethodGet, s.PublishURL+"/readyz", ""), http.StatusServiceUnavailable, "stream_full")

	js := msgqtest.JetStream(t, s.Broker.URL)
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.WaitReady(t)
	next := s.Publish(t, "a", `"next"`) // a reader sees it next, and no probe
	message(t, ws, "s", next)
	if last := stream.CachedInfo().State.LastSeq; next.Seq < last+2 {
		t.Errorf("seq %d after %d: no probe was stored", next.Seq, last)
	}
}
