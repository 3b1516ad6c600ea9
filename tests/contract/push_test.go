package contract_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

func putQueue(t *testing.T, s *harness.Stack, name string, settings object) harness.Response {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return s.Do(t, http.MethodPut, queueURL(s, name), string(text), "Content-Type: application/json")
}

func createQueue(t *testing.T, s *harness.Stack, name string, settings object) {
	t.Helper()
	if r := putQueue(t, s, name, settings); r.Status != http.StatusCreated {
		t.Fatalf("create queue: %d %s", r.Status, r.Body)
	}
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

func TestQueueIsShownChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusInternalServerError) })
	createQueue(t, s, "q", object{"topics": []string{"a"}, "filter": "data.n > 0", "backoff": "1h", "push": object{"url": url}})
	info := getQueue(t, s, "q")
	if info.Name != "q" || len(info.Topics) != 1 || info.Filter != "data.n > 0" || info.MaxAttempts != 5 || info.AckWait != "30s" ||
		info.Backoff != "1h0m0s" || info.Push["url"] != url {
		t.Errorf("got %+v", info)
	}
	var list struct{ Queues []queueInfo }
	s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues", "").JSON(t, &list)
	if len(list.Queues) != 1 || list.Queues[0].Name != "q" {
		t.Errorf("list %+v, want the queue", list)
	}
	r := putQueue(t, s, "q", object{"topics": []string{"b"}})
	checkProblem(t, r, http.StatusConflict, "queue_mismatch")
	if r := putQueue(t, s, "q", object{"max_attempts": 1, "ack_wait": "5s", "push": object{"url": url}}); r.Status != http.StatusOK {
		t.Fatalf("change: %d %s", r.Status, r.Body)
	}
	info = getQueue(t, s, "q")
	if info.MaxAttempts != 1 || info.AckWait != "5s" || info.Filter != "data.n > 0" || len(info.Topics) != 1 || info.Topics[0] != "a" {
		t.Errorf("changed to %+v", info)
	}
	s.Publish(t, "a", `{"n":1}`)
	msgqtest.Receive(t, calls, "call")
	waitQueue(t, s, "q", 0, 0, 1) // what was changed holds: one attempt

	if r := s.Do(t, http.MethodDelete, queueURL(s, "q"), ""); r.Status != http.StatusNoContent || len(r.Body) != 0 {
		t.Errorf("delete: %d %s", r.Status, r.Body)
	}
	checkProblem(t, s.Do(t, http.MethodGet, queueURL(s, "q"), ""), http.StatusNotFound, "not_found")
	checkProblem(t, s.Do(t, http.MethodDelete, queueURL(s, "q"), ""), http.StatusNotFound, "not_found")
	createQueue(t, s, "q", object{"topics": []string{"b"}})
	waitQueue(t, s, "q", 0, 0, 0) // its dead letters went with the old one
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

func TestBadQueueSettingsAreRefused(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	for name, test := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"no JSON":                {`{"topics":`, 400, "invalid_request"},
		"empty body":             {``, 400, "invalid_request"},
		"a list":                 {`[]`, 400, "invalid_request"},
		"no topics":              {`{}`, 400, "invalid_topic"},
		"a topic that is none":   {`{"topics":["a..b"]}`, 400, "invalid_topic"},
		"a filter that is none":  {`{"topics":["a"],"filter":"1 +"}`, 400, "invalid_filter"},
		"a from that is none":    {`{"topics":["a"],"from":"x"}`, 400, "invalid_from"},
		"text for a number":      {`{"topics":["a"],"max_attempts":"5"}`, 400, "invalid_request"},
		"1001 attempts":          {`{"topics":["a"],"max_attempts":1001}`, 400, "invalid_request"},
		"ack_wait of 1ms":        {`{"topics":["a"],"ack_wait":"1ms"}`, 400, "invalid_request"},
		"ack_wait that is none":  {`{"topics":["a"],"ack_wait":"soon"}`, 400, "invalid_request"},
		"backoff of 25 h":        {`{"topics":["a"],"backoff":"25h"}`, 400, "invalid_request"},
		"backoff of nothing":     {`{"topics":["a"],"backoff":[]}`, 400, "invalid_request"},
		"push without a URL":     {`{"topics":["a"],"push":{}}`, 400, "invalid_request"},
		"push to a file":         {`{"topics":["a"],"push":{"url":"file:///etc/passwd"}}`, 400, "invalid_request"},
		"push to a path":         {`{"topics":["a"],"push":{"url":"/hook"}}`, 400, "invalid_request"},
		"push with timeout 1ms":  {`{"topics":["a"],"push":{"url":"http://a","timeout":"1ms"}}`, 400, "invalid_request"},
		"push with 1001 at once": {`{"topics":["a"],"push":{"url":"http://a","concurrency":1001}}`, 400, "invalid_request"},
		"a body of 65 KiB":       {`{"filter":"` + strings.Repeat("x", 65<<10) + `"}`, 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, s.Do(t, http.MethodPut, queueURL(s, "q"), test.body), test.status, test.code)
		})
	}
	for name, queue := range map[string]string{"a dot": "a.b", "a star": "*", "a slash": "a%2Fb", "65 characters": strings.Repeat("x", 65)} {
		t.Run("a name with "+name, func(t *testing.T) {
			checkProblem(t, s.Do(t, http.MethodPut, queueURL(s, queue), `{"topics":["a"]}`), http.StatusBadRequest, "invalid_request")
		})
	}
	var list struct{ Queues []queueInfo }
	r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues", "")
	r.JSON(t, &list)
	if len(list.Queues) != 0 || !strings.Contains(string(r.Body), `"queues":[]`) {
		t.Errorf("%s, want an empty list: nothing refused may be created", r.Body)
	}
}
