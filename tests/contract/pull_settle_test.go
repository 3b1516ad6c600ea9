package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

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

func TestRepeatedAckIsCountedOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	s.Publish(t, "jobs", `1`)
	tag := pull(t, s, "q", `{"wait":"10s"}`, 1)[0].Tag
	settleTags(t, s, "ack", "q", nil, []string{tag, tag}, 200, 200)
	settleTags(t, s, "ack", "q", nil, []string{tag}, 200)
	s.Publish(t, "jobs", `2`)
	settleTags(t, s, "ack", "q", nil, []string{pull(t, s, "q", `{"wait":"10s"}`, 1)[0].Tag}, 200)
	waitCounts(t, s, counts{Delivered: 2, Acknowledged: 2})
}
