package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// call is one POST that a webhook received.
type call struct {
	method, path, body string
	header             http.Header
	at                 time.Time
}

// receiver is a webhook; answer gets the number of the call, from 1.
func receiver(t *testing.T, answer func(w http.ResponseWriter, n int)) (url string, calls chan call) {
	t.Helper()
	calls = make(chan call, 100)
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- call{r.Method, r.URL.Path, string(body), r.Header, time.Now()}
		answer(w, int(n.Add(1)))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/hook", calls
}

// startPush allows webhooks on this machine.
func startPush(t *testing.T) *harness.Stack {
	t.Helper()
	return harness.Start(t, harness.Options{SubscribeFlags: []string{"--push-private"}})
}

func noCall(t *testing.T, calls chan call) {
	t.Helper()
	select {
	case c := <-calls:
		t.Errorf("the webhook was called once more: %+v", c)
	default:
	}
}

func TestWebhookThatAnswers2xxAcknowledges(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(w http.ResponseWriter, n int) { w.WriteHeader([]int{200, 201, 204}[n-1]) })
	createQueue(t, s, "q", object{"topics": []string{"orders.>"}, "filter": "data.n > 0", "push": object{"url": url}})
	s.Publish(t, "orders.created", `{"n":0}`) // does not match
	for _, data := range []string{`{"n":1}`, `{"n": 2}`, `{"n":3}`} {
		sent := s.Publish(t, "orders.created", data, "Msgq-Header-Region: eu")
		c := msgqtest.Receive(t, calls, "call")
		if c.method != http.MethodPost || c.path != "/hook" || c.body != data || c.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %+v, want a POST of %s", c, data)
		}
		if c.header.Get("Webhook-Id") != sent.ID || c.header.Get("Webhook-Timestamp") == "" {
			t.Errorf("headers %v, want webhook-id %s and a timestamp", c.header, sent.ID)
		}
	}
	waitQueue(t, s, "q", 0, 0, 0)
	noCall(t, calls)
}

func TestWebhookThatFailsIsRetriedWithGrowingDelaysUntilTheMessageIsDead(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusInternalServerError) })
	createQueue(t, s, "q", object{"topics": []string{"a"}, "max_attempts": 4, "backoff": "200ms", "push": object{"url": url}})
	s.Publish(t, "a", `1`)
	last := msgqtest.Receive(t, calls, "first attempt")
	for _, atLeast := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond} {
		c := msgqtest.Receive(t, calls, "next attempt")
		if waited := c.at.Sub(last.at); waited < atLeast {
			t.Errorf("came again after %s, want at least %s", waited, atLeast)
		}
		if c.header.Get("Webhook-Id") != last.header.Get("Webhook-Id") {
			t.Error("each attempt must have the same webhook-id")
		}
		last = c
	}
	waitQueue(t, s, "q", 0, 0, 1)
	noCall(t, calls)
}

func TestWebhookThatAnswers410Rejects(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusGone) })
	createQueue(t, s, "q", object{"topics": []string{"a"}, "backoff": "10ms", "push": object{"url": url}})
	s.Publish(t, "a", `1`)
	msgqtest.Receive(t, calls, "call")
	waitQueue(t, s, "q", 0, 0, 1)
	noCall(t, calls)
}

func TestWebhookRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	elsewhere, stray := receiver(t, func(http.ResponseWriter, int) {})
	for name, status := range map[string]int{"found": http.StatusFound, "temporary": http.StatusTemporaryRedirect} {
		url, calls := receiver(t, func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", elsewhere)
			w.WriteHeader(status)
		})
		createQueue(t, s, name, object{"topics": []string{name}, "max_attempts": 2, "backoff": "10ms", "push": object{"url": url}})
		s.Publish(t, name, `1`)
		msgqtest.Receive(t, calls, "call")
		msgqtest.Receive(t, calls, "second attempt: a redirect is no success")
		waitQueue(t, s, name, 0, 0, 1)
	}
	noCall(t, stray)
}

func TestWebhookRetryAfterIsRespected(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(w http.ResponseWriter, n int) {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "backoff": "1h", "push": object{"url": url}})
	s.Publish(t, "a", `1`)
	first := msgqtest.Receive(t, calls, "call")
	second := msgqtest.Receive(t, calls, "second attempt, after 1 s and not 1 h")
	if waited := second.at.Sub(first.at); waited < time.Second {
		t.Errorf("came again after %s, Retry-After was 1 s", waited)
	}
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestWebhookThatDoesNotAnswerInTimeIsRetried(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	given := make(chan struct{})
	url, calls := receiver(t, func(_ http.ResponseWriter, n int) {
		if n == 1 {
			<-given
		}
	})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "backoff": "10ms", "push": object{"url": url, "timeout": "300ms"}})
	s.Publish(t, "a", `1`)
	msgqtest.Receive(t, calls, "call")
	msgqtest.Receive(t, calls, "second attempt")
	waitQueue(t, s, "q", 0, 0, 0)
	close(given)
}

func TestQueueWithoutPushIsNoLongerPushed(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url}})
	s.Publish(t, "a", `1`)
	msgqtest.Receive(t, calls, "call")
	if r := putQueue(t, s, "q", object{}); r.Status != http.StatusOK {
		t.Fatalf("change: %d %s", r.Status, r.Body)
	}
	msgqtest.Eventually(t, "a message stays in the queue", func() bool {
		s.Publish(t, "a", `2`)
		return getQueue(t, s, "q").Ready > 0
	})
}

func TestChangedSettingsOfAPushedQueueHold(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusInternalServerError) })
	createQueue(t, s, "q", object{"topics": []string{"a"}, "backoff": "1h", "push": object{"url": url}})
	if shown := getQueue(t, s, "q").Push; shown["url"] != url || shown["timeout"] != "15s" || shown["concurrency"] != 8.0 || shown["signed"] != nil {
		t.Errorf("push is shown as %v, want the URL and the defaults", shown)
	}
	changeQueue(t, s, object{"max_attempts": 1, "push": object{"url": url, "timeout": "5m", "concurrency": 1000}})
	if shown := getQueue(t, s, "q").Push; shown["timeout"] != "5m0s" || shown["concurrency"] != 1000.0 {
		t.Errorf("push is shown as %v, want what was changed", shown)
	}
	s.Publish(t, "a", `{"n":1}`)
	msgqtest.Receive(t, calls, "call")
	waitQueue(t, s, "q", 0, 0, 1) // one attempt
}
