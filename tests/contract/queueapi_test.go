package contract_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestQueueIsCreatedWithDefaultsShownChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	r := putQueue(t, s, "q", object{"topics": []string{"orders.*", "refunds"}})
	var made queueInfo
	r.JSON(t, &made)
	if r.Status != http.StatusCreated || made.Name != "q" || !slices.Equal(made.Topics, []string{"orders.*", "refunds"}) || made.Filter != "" ||
		made.MaxAttempts != 5 || made.AckWait != "30s" || made.Backoff != "1s" || made.Push != nil {
		t.Errorf("created with %d %s, want the defaults", r.Status, r.Body)
	}
	if shown := s.Do(t, http.MethodGet, queueURL(s, "q"), ""); !bytes.Equal(shown.Body, r.Body) {
		t.Errorf("shown as %s, want as created: %s", shown.Body, r.Body)
	}
	r = putQueue(t, s, "q", object{"topics": []string{"refunds", "orders.*"}, "max_attempts": 1000, "ack_wait": "12h", "backoff": []string{"0s", "24h"}})
	changed := getQueue(t, s, "q")
	if r.Status != http.StatusOK || changed.MaxAttempts != 1000 || changed.AckWait != "12h0m0s" || fmt.Sprint(changed.Backoff) != "[0s 24h0m0s]" {
		t.Errorf("changed with %d to %+v", r.Status, changed)
	}
	r = s.Do(t, http.MethodGet, queueURL(s, "q"), "") // what was shown may be sent back
	if again := s.Do(t, http.MethodPut, queueURL(s, "q"), string(r.Body)); again.Status != http.StatusOK || !bytes.Equal(again.Body, r.Body) {
		t.Errorf("sent back: %d %s, want %s", again.Status, again.Body, r.Body)
	}
	if r := s.Do(t, http.MethodDelete, queueURL(s, "q"), ""); r.Status != http.StatusNoContent || len(r.Body) != 0 {
		t.Errorf("deleted with %d %s", r.Status, r.Body)
	}
	checkProblem(t, s.Do(t, http.MethodGet, queueURL(s, "q"), ""), http.StatusNotFound, "not_found")
	checkProblem(t, s.Do(t, http.MethodDelete, queueURL(s, "q"), ""), http.StatusNotFound, "not_found")
}

func TestTopicsAndFilterOfAQueueStay(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "filter": "seq > 0"})
	checkProblem(t, putQueue(t, s, "q", object{"topics": []string{"b"}}), http.StatusConflict, "queue_mismatch")
	checkProblem(t, putQueue(t, s, "q", object{"topics": []string{"a"}, "filter": "seq > 1"}), http.StatusConflict, "queue_mismatch")
	if r := putQueue(t, s, "q", object{"max_attempts": 2}); r.Status != http.StatusOK { // both left out
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if q := getQueue(t, s, "q"); q.MaxAttempts != 2 || q.Filter != "seq > 0" || !slices.Equal(q.Topics, []string{"a"}) {
		t.Errorf("now %+v", q)
	}
}

func TestQueuesAreListedInPages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	list := func(query string) (names []string, next string) {
		t.Helper()
		r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues"+query, "")
		var page struct {
			Queues []queueInfo
			Next   string
		}
		r.JSON(t, &page)
		if page.Queues == nil {
			t.Fatalf("%d %s, want queues", r.Status, r.Body)
		}
		for _, q := range page.Queues {
			names = append(names, q.Name)
		}
		return names, page.Next
	}
	if names, next := list(""); len(names) != 0 || next != "" {
		t.Errorf("%v, next %q, want none", names, next)
	}
	want := []string{"B", "a", "b", "b-2", "c"}
	for _, name := range []string{"c", "b", "B", "b-2", "a"} {
		createQueue(t, s, name, object{"topics": []string{"t"}})
	}
	var got []string
	for next := ""; ; {
		names, more := list("?limit=2&next=" + next)
		if got = append(got, names...); more == "" {
			break
		}
		next = more
	}
	if !slices.Equal(got, want) {
		t.Errorf("in pages %q, want %q", got, want)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "next=a.b"} {
		checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues?"+query, ""), http.StatusBadRequest, "invalid_request")
	}
}

func TestWrongQueueSettingsAreNamed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--max-queues=1"}})
	createQueue(t, s, "only", object{"topics": []string{"a"}})
	for name, test := range map[string]struct {
		queue, body string
		status      int
		code        string
		says        string
	}{
		"a dot in the name":     {"a.b", `{"topics":["a"]}`, 400, "invalid_request", `a.b`},
		"65 characters":         {strings.Repeat("x", 65), `{"topics":["a"]}`, 400, "invalid_request", "64"},
		"no topics":             {"q", `{}`, 400, "invalid_topic", "1 to 16"},
		"a name in capitals":    {"q", `{"topics":["a"],"MAX_ATTEMPTS":3}`, 400, "invalid_request", "no field \\\"MAX_ATTEMPTS\\\""},
		"no body":               {"q", ``, 400, "invalid_request", "empty"},
		"17 topics":             {"q", `{"topics":["a"` + strings.Repeat(`,"a"`, 16) + `]}`, 400, "invalid_topic", "17"},
		"a topic that is none":  {"q", `{"topics":["a..b"]}`, 400, "invalid_topic", "a..b"},
		"a filter that is none": {"q", `{"topics":["a"],"filter":"data.x ="}`, 400, "invalid_filter", "column"},
		"max_attempts 0 below":  {"q", `{"topics":["a"],"max_attempts":-1}`, 400, "invalid_request", "max_attempts -1"},
		"max_attempts above":    {"q", `{"topics":["a"],"max_attempts":1001}`, 400, "invalid_request", "max_attempts 1001"},
		"max_attempts in words": {"q", `{"topics":["a"],"max_attempts":"five"}`, 400, "invalid_request", "max_attempts"},
		"ack_wait too short":    {"q", `{"topics":["a"],"ack_wait":"99ms"}`, 400, "invalid_request", "ack_wait 99ms"},
		"ack_wait too long":     {"q", `{"topics":["a"],"ack_wait":"13h"}`, 400, "invalid_request", "ack_wait 13h"},
		"ack_wait of a number":  {"q", `{"topics":["a"],"ack_wait":30}`, 400, "invalid_request", "ack_wait"},
		"backoff below zero":    {"q", `{"topics":["a"],"backoff":"-1s"}`, 400, "invalid_request", "backoff"},
		"backoff that is none":  {"q", `{"topics":["a"],"backoff":[1]}`, 400, "invalid_request", "backoff"},
		"from that is none":     {"q", `{"topics":["a"],"from":"old"}`, 400, "invalid_from", "old"},
		"a misspelt field":      {"q", `{"topics":["a"],"max_atempts":3}`, 400, "invalid_request", "max_atempts"},
		"another name":          {"q", `{"name":"p","topics":["a"]}`, 400, "invalid_request", "name"},
		"no JSON":               {"q", `topics=a`, 400, "invalid_request", "JSON"},
		"no object":             {"q", `["a"]`, 400, "invalid_request", "array"},
		"half an object":        {"q", `{"topics":["a"]`, 400, "invalid_request", "ends"},
		"two objects":           {"q", `{"topics":["a"]}{}`, 400, "invalid_request", "after top-level value"},
		"too large":             {"q", `{"topics":["a"],"filter":"` + strings.Repeat("x", 300<<10) + `"}`, 413, "too_large", "bytes"},
		"push without a URL":    {"q", `{"topics":["a"],"push":{}}`, 400, "invalid_request", "push.url"},
		"push to a file":        {"q", `{"topics":["a"],"push":{"url":"file:///etc/passwd"}}`, 400, "invalid_request", "push.url"},
		"push to a path":        {"q", `{"topics":["a"],"push":{"url":"/hook"}}`, 400, "invalid_request", "push.url"},
		"push, timeout 99ms":    {"q", `{"topics":["a"],"push":{"url":"http://a","timeout":"99ms"}}`, 400, "invalid_request", "push.timeout"},
		"push, timeout 301s":    {"q", `{"topics":["a"],"push":{"url":"http://a","timeout":"301s"}}`, 400, "invalid_request", "push.timeout"},
		"push, 1001 at once":    {"q", `{"topics":["a"],"push":{"url":"http://a","concurrency":1001}}`, 400, "invalid_request", "push.concurrency"},
		"push, -1 at once":      {"q", `{"topics":["a"],"push":{"url":"http://a","concurrency":-1}}`, 400, "invalid_request", "push.concurrency"},
		"push, misspelt field":  {"q", `{"topics":["a"],"push":{"uri":"http://a"}}`, 400, "invalid_request", "uri"},
		"push of text":          {"q", `{"topics":["a"],"push":"http://a"}`, 400, "invalid_request", "push"},
		"backoff of 25 h":       {"q", `{"topics":["a"],"backoff":"25h"}`, 400, "invalid_request", "backoff"},
		"backoff of nothing":    {"q", `{"topics":["a"],"backoff":[]}`, 400, "invalid_request", "backoff"},
		"a star in the name":    {"*", `{"topics":["a"]}`, 400, "invalid_request", "*"},
		"a slash in the name":   {"a%2Fb", `{"topics":["a"]}`, 400, "invalid_request", "a%2Fb"},
		"a queue too many":      {"q", `{"topics":["a"]}`, 409, "limit_exceeded", "at most 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Do(t, http.MethodPut, queueURL(s, test.queue), test.body)
			checkProblem(t, r, test.status, test.code)
			if !strings.Contains(string(r.Body), test.says) {
				t.Errorf("%s does not say %q", r.Body, test.says)
			}
		})
	}
	r := s.Do(t, http.MethodPost, queueURL(s, "only"), "")
	checkProblem(t, r, http.StatusMethodNotAllowed, "method_not_allowed")
	if allow := r.Header.Get("Allow"); !strings.Contains(allow, "PUT") {
		t.Errorf("Allow is %q", allow)
	}
}
