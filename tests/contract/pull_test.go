package contract_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func pullRaw(t *testing.T, s *harness.Stack, queue, body string) harness.Response {
	t.Helper()
	return s.Do(t, http.MethodPost, queueURL(s, queue)+"/pull", body)
}

// pull wants so many messages.
func pull(t *testing.T, s *harness.Stack, queue, body string, want int) []harness.Frame {
	t.Helper()
	r := pullRaw(t, s, queue, body)
	var answer struct{ Messages []harness.Frame }
	if r.Status != http.StatusOK {
		t.Fatalf("pull: %d %s", r.Status, r.Body)
	}
	r.JSON(t, &answer)
	if answer.Messages == nil || len(answer.Messages) != want {
		t.Fatalf("pulled %s, want %d messages", r.Body, want)
	}
	return answer.Messages
}

type settleAnswer struct {
	Count   int
	Results []struct {
		Tag    string
		Status int
		Error  *problem
	}
}

// settleTags acks, nacks or rejects over HTTP, and wants this status of each tag.
func settleTags(t *testing.T, s *harness.Stack, act, queue string, fields object, tags []string, want ...int) {
	t.Helper()
	body := object{"tags": tags}
	maps.Copy(body, fields)
	text, _ := json.Marshal(body)
	r := s.Do(t, http.MethodPost, queueURL(s, queue)+"/"+act, string(text))
	var answer settleAnswer
	if r.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", act, r.Status, r.Body)
	}
	r.JSON(t, &answer)
	done := 0
	for i, result := range answer.Results {
		ok := want[i] == http.StatusOK
		if ok {
			done++
		}
		if result.Tag != tags[i] || result.Status != want[i] || (result.Error == nil) != ok || !ok && (result.Error.Code != "unknown_tag" || result.Error.Detail == "") {
			t.Errorf("%s: tag %d: %s, want status %d", act, i, r.Body, want[i])
		}
	}
	if len(answer.Results) != len(tags) || answer.Count != done {
		t.Errorf("%s: %s, want %d results and count %d", act, r.Body, len(tags), done)
	}
}

func TestPulledMessageHasAllItsFields(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	if m := pull(t, s, "q", "", 0); m == nil {
		t.Error("want an empty list")
	}
	first := s.Publish(t, "jobs", `{"html":"<b>"}`, "Msgq-Header-Region: eu")
	s.Publish(t, "jobs", `text`, "Content-Type: text/plain")
	r := pullRaw(t, s, "q", "") // max 1, wait 0s
	var answer struct{ Messages []harness.Frame }
	r.JSON(t, &answer)
	m := answer.Messages[0]
	if len(answer.Messages) != 1 || m.Seq != first.Seq || m.Topic != "jobs" || m.MessageID != first.ID || m.Time.IsZero() || m.Headers["region"] != "eu" ||
		m.DataContentType != "application/json" || m.Attempt != 1 || m.Tag == "" || !strings.Contains(string(r.Body), `"data":{"html":"<b>"}`) {
		t.Errorf("got %s", r.Body)
	}
	if m := pull(t, s, "q", `{"max":10}`, 1)[0]; string(m.Data) != `"text"` {
		t.Errorf("got %s", m.Data)
	}
	waitQueue(t, s, "q", 0, 2, 0)
}

func TestTagsSettleAtAnotherInstance(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}, "backoff": "1h", "max_attempts": 2})
	var sent []harness.Receipt
	for i := range 4 {
		sent = append(sent, s.Publish(t, "jobs", fmt.Sprint(i)))
	}
	got := pull(t, s, "q", `{"max":100,"wait":"10s"}`, 4)
	first := s.SubscribeURL
	s.StartSubscribe(t)
	s.WaitReady(t)
	tag := func(i int) []string { return []string{got[i].Tag} }
	settleTags(t, s, "ack", "q", nil, tag(0), 200)
	settleTags(t, s, "reject", "q", object{"reason": "no such customer"}, tag(1), 200)
	settleTags(t, s, "nack", "q", object{"delay": "0s", "reason": "busy"}, tag(2), 200)
	settleTags(t, s, "nack", "q", nil, tag(3), 200) // after the queue's backoff
	again := pull(t, s, "q", `{"wait":"10s"}`, 1)[0]
	if again.Seq != sent[2].Seq || again.Attempt != 2 {
		t.Errorf("came again: seq %d, attempt %d", again.Seq, again.Attempt)
	}
	s.SubscribeURL = first
	settleTags(t, s, "nack", "q", object{"reason": "busy again"}, []string{again.Tag}, 200) // the last attempt
	dead := deadLetters(t, s, "q", "").DeadLetters
	if len(dead) != 2 || dead[0].Seq != sent[1].Seq || dead[0].Reason != "no such customer" || dead[0].Attempts != 1 ||
		dead[1].Seq != sent[2].Seq || dead[1].Reason != "busy again" || dead[1].Attempts != 2 {
		t.Errorf("dead letters %+v", dead)
	}
	msgqtest.Eventually(t, "the counts are right", func() bool {
		var q map[string]any
		s.Do(t, http.MethodGet, queueURL(s, "q"), "").JSON(t, &q)
		return q["ready"] == 0.0 && q["in_flight"] == 0.0 && q["waiting_retry"] == 1.0 && q["dead"] == 2.0 && q["delivered"] == 5.0 &&
			q["acknowledged"] == 1.0 && q["expired"] == 0.0 && q["members"] == 0.0
	})
}

func TestTagsThatMeanNothingHarmNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	createQueue(t, s, "other", object{"topics": []string{"jobs"}})
	s.Publish(t, "jobs", `1`)
	mine, others := pull(t, s, "q", `{"wait":"10s"}`, 1)[0].Tag, pull(t, s, "other", `{"wait":"10s"}`, 1)[0].Tag
	for _, act := range []string{"ack", "nack", "reject"} {
		settleTags(t, s, act, "q", nil, []string{"nonsense", others, ""}, 404, 404, 404)
	}
	waitQueue(t, s, "other", 0, 1, 0)
	waitQueue(t, s, "q", 0, 1, 0)
	settleTags(t, s, "ack", "q", nil, []string{"nonsense", mine}, 404, 200) // the other is done all the same
	waitQueue(t, s, "q", 0, 0, 0)

	if r := s.Do(t, http.MethodPost, queueURL(s, "other")+"/seek", `{"from":"all"}`); r.Status != http.StatusOK {
		t.Fatalf("seek: %d %s", r.Status, r.Body)
	}
	settleTags(t, s, "ack", "other", nil, []string{others}, 409) // of before the seek
	settleTags(t, s, "ack", "other", nil, []string{pull(t, s, "other", `{"wait":"10s"}`, 1)[0].Tag}, 200)
}

func TestPullWaitsForTheFirstMessage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}, "filter": "data > 1"})
	start := time.Now()
	pull(t, s, "q", `{"max":10,"wait":"300ms"}`, 0)
	if waited := time.Since(start); waited < 300*time.Millisecond {
		t.Errorf("answered after %s, want the wait", waited)
	}
	got := make(chan harness.Response, 1)
	go func() { got <- pullRaw(t, s, "q", `{"max":10,"wait":"15s"}`) }()
	waitMembers(t, s, 1)
	s.Publish(t, "jobs", `1`) // does not match
	s.Publish(t, "jobs", `2`)
	if r := msgqtest.Receive(t, got, "answer"); !strings.Contains(string(r.Body), `"data":2`) || strings.Contains(string(r.Body), `"data":1`) {
		t.Errorf("got %s", r.Body)
	}
}

// waitMembers waits until so many requests for messages of q wait at the broker.
func waitMembers(t *testing.T, s *harness.Stack, n int) {
	t.Helper()
	msgqtest.Eventually(t, fmt.Sprintf("%d members", n), func() bool {
		var q struct{ Members int }
		s.Do(t, http.MethodGet, queueURL(s, "q"), "").JSON(t, &q)
		return q.Members == n
	})
}

func TestStoppedServiceEndsPullsAtOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	got := make(chan harness.Response, 1)
	go func() { got <- pullRaw(t, s, "q", `{"wait":"5m"}`) }()
	waitMembers(t, s, 1)
	s.StopSubscribe() // fails the test if it takes its time
	if r := msgqtest.Receive(t, got, "answer"); r.Status != http.StatusOK || strings.TrimSpace(string(r.Body)) != `{"messages":[]}` {
		t.Errorf("%d %s, want an empty list", r.Status, r.Body)
	}
	s.StartSubscribe(t)
	s.WaitReady(t)
	s.Publish(t, "jobs", `1`)
	if m := pull(t, s, "q", `{"wait":"10s"}`, 1)[0]; m.Attempt != 1 {
		t.Errorf("attempt %d: the pull that was ended took the message", m.Attempt)
	}
}

func TestPullOfAClientThatLeftLosesNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}, "ack_wait": "12h"})
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, queueURL(s, "q")+"/pull", strings.NewReader(`{"wait":"15s"}`))
			res, err := s.Client.Do(req)
			if err == nil {
				res.Body.Close()
			}
			ended <- err
		}()
		waitMembers(t, s, 1)
		cancel()
		if err := msgqtest.Receive(t, ended, "end of the request"); err == nil {
			t.Error("the request was answered")
		}
		waitMembers(t, s, 0)
	}
	s.Publish(t, "jobs", `1`)
	pull(t, s, "q", `{"wait":"10s"}`, 1)
}

func TestLargeMessagesMakeShortPulls(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	large := `"` + strings.Repeat("x", 200_000) + `"`
	for range 101 {
		s.Publish(t, "jobs", large)
	}
	pull(t, s, "q", `{"max":1000}`, 50) // 10 MB: the piece in which 4 MiB were passed
	pull(t, s, "q", `{"max":3}`, 3)
}

func TestSeekStartsAQueueOver(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	var sent []harness.Receipt
	for i := range 3 {
		sent = append(sent, s.Publish(t, "jobs", fmt.Sprint(i)))
	}
	settleTags(t, s, "ack", "q", nil, []string{pull(t, s, "q", `{"wait":"10s"}`, 1)[0].Tag}, 200)
	for from, want := range map[string][]harness.Receipt{
		`"all"`: sent, `{"last":1}`: sent[2:], fmt.Sprintf(`{"after":%d}`, sent[0].Seq): sent[1:], `"new"`: nil, `{"time":"2020-01-01T00:00:00Z"}`: sent,
	} {
		r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/seek", `{"from":`+from+`}`)
		var info queueInfo
		r.JSON(t, &info)
		if r.Status != http.StatusOK || info.Name != "q" || info.Ready != len(want) || info.InFlight != 0 {
			t.Fatalf("%s: %d %s, want %d ready", from, r.Status, r.Body, len(want))
		}
		for i, m := range pull(t, s, "q", `{"max":10}`, len(want)) {
			if m.Seq != want[i].Seq || m.Attempt != 1 {
				t.Errorf("%s: seq %d, attempt %d, want %d, 1", from, m.Seq, m.Attempt, want[i].Seq)
			}
		}
	}
}

func TestBadPullsSettlementsAndSeeksAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	many, _ := json.Marshal(object{"tags": strings.Split(strings.Repeat("x,", 1000)+"x", ",")})
	for name, test := range map[string]struct{ path, body, code, says string }{
		"max 0":               {"pull", `{"max":0}`, "invalid_request", "max: 0"},
		"max 1001":            {"pull", `{"max":1001}`, "invalid_request", "max: 1001"},
		"max of text":         {"pull", `{"max":"1"}`, "invalid_request", "max"},
		"wait below zero":     {"pull", `{"wait":"-1s"}`, "invalid_request", "wait: -1s"},
		"wait too long":       {"pull", `{"wait":"6m"}`, "invalid_request", "wait: 6m"},
		"wait of a number":    {"pull", `{"wait":20}`, "invalid_request", "wait"},
		"wait that is none":   {"pull", `{"wait":"soon"}`, "invalid_request", "soon"},
		"pull, unknown field": {"pull", `{"batch":1}`, "invalid_request", "batch"},
		"pull, no JSON":       {"pull", `max=1`, "invalid_request", "JSON"},
		"ack, no body":        {"ack", ``, "invalid_request", "empty"},
		"ack, no tags":        {"ack", `{"tags":[]}`, "invalid_request", "tags: 0"},
		"ack of 1001 tags":    {"ack", string(many), "invalid_request", "tags: 1001"},
		"ack with a delay":    {"ack", `{"tags":["x"],"delay":"1s"}`, "invalid_request", "delay"},
		"reject with a delay": {"reject", `{"tags":["x"],"delay":"1s"}`, "invalid_request", "delay"},
		"nack, delay < 0":     {"nack", `{"tags":["x"],"delay":"-1s"}`, "invalid_request", "delay: -1s"},
		"nack, delay > 24h":   {"nack", `{"tags":["x"],"delay":"25h"}`, "invalid_request", "delay: 25h"},
		"nack, no delay":      {"nack", `{"tags":["x"],"delay":"soon"}`, "invalid_request", "soon"},
		"nack, tags of text":  {"nack", `{"tags":"x"}`, "invalid_request", "tags"},
		"seek, no from":       {"seek", `{}`, "invalid_request", "from"},
		"seek, from null":     {"seek", `{"from":null}`, "invalid_request", "from"},
		"seek, bad from":      {"seek", `{"from":"old"}`, "invalid_from", "old"},
		"seek, last 0":        {"seek", `{"from":{"last":0}}`, "invalid_from", "last"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/"+test.path, test.body)
			checkProblem(t, r, http.StatusBadRequest, test.code)
			if !strings.Contains(string(r.Body), test.says) {
				t.Errorf("%s does not say %q", r.Body, test.says)
			}
		})
	}
	for path, body := range map[string]string{"pull": ``, "ack": `{"tags":["x"]}`, "nack": `{"tags":["x"]}`, "reject": `{"tags":["x"]}`, "seek": `{"from":"all"}`} {
		checkProblem(t, s.Do(t, http.MethodPost, queueURL(s, "none")+"/"+path, body), http.StatusNotFound, "not_found")
		checkProblem(t, s.Do(t, http.MethodPost, queueURL(s, "a.b")+"/"+path, body), http.StatusBadRequest, "invalid_request")
	}
}
