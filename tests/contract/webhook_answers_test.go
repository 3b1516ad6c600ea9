package contract_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// TestWebhookWithoutAProperAnswerIsRetriedAndTheReasonKept has an endpoint for each way to go wrong.
func TestWebhookWithoutAProperAnswerIsRetriedAndTheReasonKept(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	hijack := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte(answer))
				_ = conn.Close()
			}
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, test := range map[string]struct {
		serve  http.HandlerFunc
		reason string
	}{
		"hangs_up":    {hijack(""), "the webhook could not be reached"},
		"no_http":     {hijack("SSH-2.0-OpenSSH_9.2\r\n"), "the webhook could not be reached"},
		"huge_header": {hijack("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n"), "the webhook could not be reached"},
		"never":       {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "the webhook did not answer in time"},
		"100":         {hijack("HTTP/1.1 100 Continue\r\n\r\n"), "the webhook could not be reached"},
		"300":         {status(300), "the webhook answered 300"},
		"304":         {status(304), "the webhook answered 304"},
		"308":         {status(308), "the webhook answered 308"},
		"400":         {status(400), "the webhook answered 400"},
		"404":         {status(404), "the webhook answered 404"},
		"429":         {status(429), "the webhook answered 429"},
		"500":         {status(500), "the webhook answered 500"},
		"503":         {status(503), "the webhook answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client go
				test.serve(w, r)
			}))
			defer srv.Close()
			createQueue(t, s, name, object{
				"topics": []string{name}, "max_attempts": 2, "backoff": "10ms", "push": object{"url": srv.URL, "timeout": "500ms"},
			})
			s.Publish(t, name, `1`)
			waitQueue(t, s, name, 0, 0, 1)
			if d := deadLetters(t, s, name, "").DeadLetters[0]; d.Reason != test.reason || d.Attempts != 2 {
				t.Errorf("dead after %d attempts, reason %q, want 2 and %q", d.Attempts, d.Reason, test.reason)
			}
		})
	}
}

func TestWebhookWhoseAnswerHasNoEndAcknowledgesAndHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	ended := make(chan struct{})
	url, calls := receiver(t, func(w http.ResponseWriter, _ int) {
		_, _ = w.Write([]byte("200 it is"))
		_ = http.NewResponseController(w).Flush()
		<-ended
	})
	defer close(ended)
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url, "timeout": "500ms", "concurrency": 1}})
	for range 3 {
		s.Publish(t, "a", `1`)
	}
	for range 3 {
		if c := msgqtest.Receive(t, calls, "call"); c.header.Get("Msgq-Attempt") != "1" {
			t.Errorf("attempt %s", c.header.Get("Msgq-Attempt"))
		}
	}
	waitQueue(t, s, "q", 0, 0, 0)
	noCall(t, calls)
}

func TestWebhookHostNamesAreLookedUpWhenConnecting(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/hook"))
	createQueue(t, s, "named", object{"topics": []string{"a"}, "push": object{"url": "http://localhost:" + port}})
	createQueue(t, s, "unknown", object{"topics": []string{"a"}, "max_attempts": 1, "push": object{"url": "http://no-such-host.invalid/"}})
	s.Publish(t, "a", `1`)
	if c := msgqtest.Receive(t, calls, "call"); c.header.Get("Msgq-Queue") != "named" {
		t.Errorf("called with %v", c.header)
	}
	waitQueue(t, s, "unknown", 0, 0, 1)
	if reason := deadLetters(t, s, "unknown", "").DeadLetters[0].Reason; !strings.Contains(reason, "resolve") {
		t.Errorf("reason %q, want that the name does not resolve", reason)
	}
}
