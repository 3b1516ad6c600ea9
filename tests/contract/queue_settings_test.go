package contract_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestQueueMadeOverWebSocketHasWhatWasAskedForElseTheDefaults(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	for name, test := range map[string]struct {
		fields          object
		filter, ackWait string
		maxAttempts     int
		backoff         string
	}{
		"defaults":              {nil, "", "30s", 5, "1s"},
		"a":                     {object{"ack_wait": "100ms"}, "", "100ms", 5, "1s"},
		"b-2":                   {object{"ack_wait": "12h", "max_attempts": 1}, "", "12h0m0s", 1, "1s"},
		"C_3":                   {object{"max_attempts": 1000, "backoff": "24h"}, "", "30s", 1000, "24h0m0s"},
		"list":                  {object{"backoff": []string{"0s", "90s"}}, "", "30s", 5, "[0s 1m30s]"},
		"filtered":              {object{"filter": "data.n > 0 && seq > 0"}, "data.n > 0 && seq > 0", "30s", 5, "1s"},
		"no-wait":               {object{"backoff": "0s"}, "", "30s", 5, "[0s]"},
		"null-too":              {object{"max_attempts": nil, "ack_wait": nil, "backoff": nil, "filter": nil, "from": nil}, "", "30s", 5, "1s"},
		strings.Repeat("x", 64): {object{"credit": 1000, "unknown": true}, "", "30s", 5, "1s"},
	} {
		topics := []string{"a.*", "b.>"}
		fields := object{"topics": topics, "queue": name}
		maps.Copy(fields, test.fields)
		subscribe(t, ws, name, fields)
		q := getQueue(t, s, name)
		if q.Name != name || !slices.Equal(q.Topics, topics) || q.Filter != test.filter || q.AckWait != test.ackWait || q.MaxAttempts != test.maxAttempts ||
			fmt.Sprint(q.Backoff) != test.backoff || q.Push != nil {
			t.Errorf("%s: made as %+v", name, q)
		}
	}
}

func TestJoiningChangesNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	s.Publish(t, "a", `1`)
	createQueue(t, s, "q", object{"topics": []string{"a", "b"}, "filter": "true", "max_attempts": 3, "ack_wait": "1m", "backoff": "5s"})
	before := s.Do(t, http.MethodGet, queueURL(s, "q"), "").Body
	ws := s.Dial(t, nil)
	for id, fields := range map[string]object{
		"nothing":         {},
		"the same":        {"topics": []string{"b", "a"}, "filter": "true", "max_attempts": 3, "ack_wait": "1m", "backoff": "5s"},
		"other settings":  {"max_attempts": 9, "ack_wait": "2m", "backoff": "9s"},
		"another start":   {"from": "all"},
		"a topic doubled": {"topics": []string{"a", "b", "a"}},
	} {
		fields["queue"], fields["credit"] = "q", 0
		subscribe(t, ws, id, fields)
	}
	before = bytes.Replace(before, []byte(`"members":0`), []byte(`"members":5`), 1) // of credit 0, and members all the same
	if after := s.Do(t, http.MethodGet, queueURL(s, "q"), "").Body; !bytes.Equal(after, before) {
		t.Errorf("now %s, want as before: %s", after, before)
	}
}

func TestQueueMessageHasTheFieldsOfALiveOne(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "live", object{"topics": []string{"a"}})
	other := s.Dial(t, nil)
	subscribe(t, other, "live", object{"topics": []string{"a"}, "queue": "q"})
	for _, test := range []struct{ data, kind string }{
		{`{"html": "<b>&\u2028"}`, "application/json"}, {"text\nof lines", "text/plain; charset=utf-8"},
		{"\x00\xff", "application/octet-stream"}, {"\xff is no text", "text/plain"}, {"", "text/plain"},
	} {
		sent := s.Publish(t, "a", test.data, "Content-Type: "+test.kind, "Msgq-Header-Region: eu")
		live, queued := message(t, ws, "live", sent), delivery(t, other, "live", sent, 1)
		without := strings.Replace(queued.Raw, fmt.Sprintf(`,"tag":%q,"attempt":1`, queued.Tag), "", 1)
		if without != live.Raw || without == queued.Raw {
			t.Errorf("%q: queued %s, live %s, want the same beside tag and attempt", test.data, queued.Raw, live.Raw)
		}
	}
}

func TestDeletedQueueTakesItsRetriesAndDeadLettersWithIt(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"a"}, "queue": "q", "backoff": "1h"})
	settle(t, ws, "nack", "q", nil, delivery(t, ws, "q", s.Publish(t, "a", `1`), 1).Tag)
	settle(t, ws, "reject", "q", nil, delivery(t, ws, "q", s.Publish(t, "a", `2`), 1).Tag)
	waitCounts(t, s, counts{WaitingRetry: 1, Dead: 1, Delivered: 2})
	if r := s.Do(t, http.MethodDelete, queueURL(s, "q"), ""); r.Status != http.StatusNoContent || len(r.Body) != 0 {
		t.Fatalf("delete: %d %s", r.Status, r.Body)
	}
	createQueue(t, s, "q", object{"topics": []string{"a"}, "from": "all"})
	waitCounts(t, s, counts{Ready: 2}) // what was published is still there, for the new one
	if left := deadSeqs(t, s, "q", ""); len(left) != 0 {
		t.Errorf("dead letters %v", left)
	}
}

func TestPushSettingsOfZeroAreRefusedAndNamed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for field, value := range map[string]any{"timeout": "0s", "concurrency": 0} {
		r := putQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": "https://example.com/", field: value}})
		checkProblem(t, r, http.StatusBadRequest, "invalid_request")
		if !strings.Contains(string(r.Body), "push."+field) {
			t.Errorf("%s: %s, want it named", field, r.Body)
		}
	}
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": "https://example.com/", "timeout": nil, "concurrency": nil}})
	if push := getQueue(t, s, "q").Push; push["timeout"] != "15s" || push["concurrency"] != 8.0 {
		t.Errorf("the defaults are %v", push)
	}
}

func TestSettingsThatCannotBeAreRefusedAndNamed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	for field, value := range map[string]any{"max_attempts": 0, "ack_wait": "0s", "topics": "a", "filter": 5} {
		fields := object{"topics": []string{"a"}, field: value}
		r := putQueue(t, s, "q", fields)
		checkProblem(t, r, http.StatusBadRequest, "invalid_request")
		maps.Copy(fields, object{"type": "subscribe", "id": "q", "queue": "q", "ref": 1})
		ws.Send(fields)
		f := ws.WaitRef("1")
		checkError(t, f, "bad_request", "1")
		for _, text := range []string{string(r.Body), f.Raw} {
			if !strings.Contains(text, field) || strings.Contains(text, "Settings") {
				t.Errorf("%s: %s, want it named", field, text)
			}
		}
	}
}

func TestQueueOfAnotherEpochHasNotRecovered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sent := s.Publish(t, "a", `1`)
	ws := s.Dial(t, nil)
	for epoch, want := range map[string]bool{ws.Welcome.Epoch: true, "other": false} {
		f := subscribe(t, ws, epoch, object{"queue": epoch, "topics": []string{"a"}, "from": object{"after": sent.Seq, "epoch": epoch}})
		if *f.Recovered != want {
			t.Errorf("%s, want recovered %t", f.Raw, want)
		}
		if !want {
			delivery(t, ws, epoch, sent, 1)
		}
	}
}
