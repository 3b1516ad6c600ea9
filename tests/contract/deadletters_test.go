package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

type deadLetter struct {
	Seq             uint64
	Topic           string
	Time            time.Time
	MessageID       string `json:"message_id"`
	Headers         map[string]string
	DataContentType string
	Data            json.RawMessage
	DataBase64      string `json:"data_base64"`
	Attempts        int
	Redriven        *int
	Reason          string
	FirstAt         time.Time `json:"first_at"`
	DeadAt          time.Time `json:"dead_at"`
}

type deadPage struct {
	DeadLetters []deadLetter `json:"dead_letters"`
	Next        string
}

func deadLetters(t *testing.T, s *harness.Stack, queue, query string) deadPage {
	t.Helper()
	r := s.Do(t, http.MethodGet, queueURL(s, queue)+"/dead"+query, "")
	var page deadPage
	if r.Status != http.StatusOK {
		t.Fatalf("dead letters: %d %s", r.Status, r.Body)
	}
	r.JSON(t, &page)
	if page.DeadLetters == nil {
		t.Fatalf("no list: %s", r.Body)
	}
	return page
}

func deadSeqs(t *testing.T, s *harness.Stack, queue, query string) (seqs []uint64) {
	t.Helper()
	for _, d := range deadLetters(t, s, queue, query).DeadLetters {
		seqs = append(seqs, d.Seq)
	}
	return seqs
}

// bury creates the queue q of topic jobs and rejects these messages of it.
func bury(t *testing.T, s *harness.Stack, queue string, data ...string) (ws *harness.Socket, sent []harness.Receipt) {
	t.Helper()
	ws = s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": queue, "credit": 1000})
	for _, text := range data {
		m := s.Publish(t, "jobs", text, "Msgq-Header-Region: eu")
		sent = append(sent, m)
		settle(t, ws, "reject", "q", object{"reason": "no such customer"}, delivery(t, ws, "q", m, 1).Tag)
	}
	return ws, sent
}

// clearing redrives or discards.
func clearing(t *testing.T, s *harness.Stack, act, queue, body string) harness.Response {
	t.Helper()
	return s.Do(t, http.MethodPost, queueURL(s, queue)+"/dead/"+act, body, "Content-Type: application/json")
}

func checkCount(t *testing.T, r harness.Response, want int) {
	t.Helper()
	if r.Status != http.StatusOK || strings.TrimSpace(string(r.Body)) != fmt.Sprintf(`{"count":%d}`, want) {
		t.Errorf("%d %s, want count %d", r.Status, r.Body, want)
	}
}

func TestDeadLetterTellsWhatItWasAndWhyItIsDead(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	before := time.Now().Add(-time.Second)
	_, sent := bury(t, s, "q", `{"n":1}`)
	d := deadLetters(t, s, "q", "").DeadLetters[0]
	if d.Seq != sent[0].Seq || d.Topic != "jobs" || d.MessageID != sent[0].ID || d.DataContentType != "application/json" || string(d.Data) != `{"n":1}` ||
		len(d.Headers) != 1 || d.Headers["region"] != "eu" || d.Attempts != 1 || d.Redriven == nil || *d.Redriven != 0 || d.Reason != "no such customer" {
		t.Errorf("got %+v, want the message %+v", d, sent[0])
	}
	for what, at := range map[string]time.Time{"time": d.Time, "first_at": d.FirstAt, "dead_at": d.DeadAt} {
		if at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("%s is %s", what, at)
		}
	}
	if d.DeadAt.Before(d.FirstAt) {
		t.Errorf("dead at %s, before it was delivered at %s", d.DeadAt, d.FirstAt)
	}
}

func TestDeadLettersAreListedInPagesAndFiltered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	_, sent := bury(t, s, "q", `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `{"n":5}`)
	for query, want := range map[string][]int{"": {0, 1, 2, 3, 4}, "filter=" + url.QueryEscape("data.n % 2 == 1"): {0, 2, 4}, "filter=false": nil} {
		var wanted, got []uint64
		for _, i := range want {
			wanted = append(wanted, sent[i].Seq)
		}
		pages := 0
		for next := ""; ; pages++ {
			page := deadLetters(t, s, "q", "?limit=2&next="+next+"&"+query)
			for _, d := range page.DeadLetters {
				got = append(got, d.Seq)
			}
			if next = page.Next; next == "" {
				break
			}
		}
		if !slices.Equal(got, wanted) || pages != max(0, len(want)-1)/2 {
			t.Errorf("%q: %v in %d full pages, want %v", query, got, pages, wanted)
		}
	}
	for query, code := range map[string]string{
		"limit=0": "invalid_request", "limit=1001": "invalid_request", "limit=x": "invalid_request", "next=!": "invalid_request",
		"filter=1": "invalid_filter",
	} {
		checkProblem(t, s.Do(t, http.MethodGet, queueURL(s, "q")+"/dead?"+query, ""), http.StatusBadRequest, code)
	}
	checkProblem(t, s.Do(t, http.MethodGet, queueURL(s, "none")+"/dead", ""), http.StatusNotFound, "not_found")
}

func TestLargeDeadLettersMakeShortPages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	large := `"` + strings.Repeat("x", 900_000) + `"`
	bury(t, s, "q", slices.Repeat([]string{large}, 7)...)
	page := deadLetters(t, s, "q", "")
	if n := len(page.DeadLetters); n < 1 || n > 5 || page.Next == "" {
		t.Fatalf("%d dead letters of 900 kB on a page, next %q", n, page.Next)
	}
	if rest := deadSeqs(t, s, "q", "?next="+page.Next); len(rest)+len(page.DeadLetters) != 7 {
		t.Errorf("%d on the next page", len(rest))
	}
}

func TestRedriveReachesOnlyItsQueueWithAttemptsFromOne(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "other", object{"topics": []string{"jobs"}})
	ws, sent := bury(t, s, "q", `{"n":1}`, `{"n":2}`, `{"n":3}`)
	checkCount(t, clearing(t, s, "redrive", "q", fmt.Sprintf(`{"seqs":[%d,%d,99999]}`, sent[1].Seq, sent[1].Seq)), 1)
	tag := delivery(t, ws, "q", sent[1], 1).Tag
	settle(t, ws, "reject", "q", object{"reason": "again"}, tag)
	d := deadLetters(t, s, "q", "").DeadLetters
	if len(d) != 3 || d[2].Seq != sent[1].Seq || *d[2].Redriven != 1 || d[2].Attempts != 1 || d[2].Reason != "again" {
		t.Errorf("dead letters %+v, want the redriven one last", d)
	}
	checkCount(t, clearing(t, s, "redrive", "q", `{"filter":"data.n == 3"}`), 1)
	settle(t, ws, "ack", "q", nil, delivery(t, ws, "q", sent[2], 1).Tag)
	checkCount(t, clearing(t, s, "redrive", "q", `{"all":true}`), 2)
	for range 2 {
		settle(t, ws, "ack", "q", nil, ws.WaitType("message").Tag)
	}
	waitQueue(t, s, "q", 0, 0, 0)
	waitQueue(t, s, "other", 3, 0, 0)
	checkCount(t, clearing(t, s, "redrive", "q", `{"all":true}`), 0)
}

func TestDiscardRemovesWhatIsSelected(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	_, sent := bury(t, s, "q", `{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`)
	_, _ = bury(t, s, "other", `{"n":1}`)
	checkCount(t, clearing(t, s, "discard", "q", fmt.Sprintf(`{"seqs":[%d]}`, sent[0].Seq)), 1)
	checkCount(t, clearing(t, s, "discard", "q", `{"filter":"data.n < 3"}`), 1)
	if left := deadSeqs(t, s, "q", ""); !slices.Equal(left, []uint64{sent[2].Seq, sent[3].Seq}) {
		t.Errorf("left are %v", left)
	}
	checkCount(t, clearing(t, s, "discard", "q", `{"all":true}`), 2)
	checkCount(t, clearing(t, s, "discard", "q", `{"all":true}`), 0)
	if left := deadSeqs(t, s, "other", ""); len(left) != 1 {
		t.Errorf("another queue has %v", left)
	}
}

func TestClearingTellsOfItsProgressWhereThatIsAccepted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	bury(t, s, "q", `1`, `2`, `3`, `4`)
	const accept = "Accept: application/x-ndjson"
	for _, test := range []struct{ act, body, last string }{
		{"redrive", `{"filter":"data == 2"}`, `{"count":1,"done":true}`},
		{"discard", `{"filter":"data == 3"}`, `{"count":1,"done":true}`},
		{"redrive", `{"all":true}`, `{"count":2,"done":true}`},
		{"discard", `{"all":true}`, `{"count":0,"done":true}`},
	} {
		r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/dead/"+test.act, test.body, accept)
		lines := strings.Split(strings.TrimSpace(string(r.Body)), "\n")
		if r.Header.Get("Content-Type") != "application/x-ndjson" || lines[len(lines)-1] != test.last {
			t.Errorf("%s %s: %d %s, want at last %s", test.act, test.body, r.Status, r.Body, test.last)
		}
	}
	checkProblem(t, s.Do(t, http.MethodPost, queueURL(s, "none")+"/dead/redrive", `{"all":true}`, accept), http.StatusNotFound, "not_found")
	checkProblem(t, s.Do(t, http.MethodPost, queueURL(s, "q")+"/dead/redrive", `{}`, accept), http.StatusBadRequest, "invalid_request")
}

func TestSelectionsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"a"}})
	many := `{"seqs":[1` + strings.Repeat(",1", 10_000) + `]}`
	for name, test := range map[string]struct{ body, code, says string }{
		"nothing":          {``, "invalid_request", "empty"},
		"empty":            {`{}`, "invalid_request", "seqs"},
		"all false":        {`{"all":false}`, "invalid_request", "all"},
		"two":              {`{"all":true,"seqs":[1]}`, "invalid_request", "one of"},
		"no seqs":          {`{"seqs":[]}`, "invalid_request", "seqs: 0"},
		"10001 seqs":       {many, "invalid_request", "10001"},
		"seqs of text":     {`{"seqs":["1"]}`, "invalid_request", "seqs"},
		"seqs below zero":  {`{"seqs":[-1]}`, "invalid_request", "seqs"},
		"a bad filter":     {`{"filter":"1"}`, "invalid_filter", "int"},
		"an unknown field": {`{"seq":[1]}`, "invalid_request", "seq"},
		"no JSON":          {`all`, "invalid_request", "JSON"},
	} {
		for _, act := range []string{"redrive", "discard"} {
			t.Run(act+" "+name, func(t *testing.T) {
				r := clearing(t, s, act, "q", test.body)
				checkProblem(t, r, http.StatusBadRequest, test.code)
				if !strings.Contains(string(r.Body), test.says) {
					t.Errorf("%s does not say %q", r.Body, test.says)
				}
			})
		}
	}
	for _, act := range []string{"redrive", "discard"} {
		checkProblem(t, clearing(t, s, act, "none", `{"all":true}`), http.StatusNotFound, "not_found")
		checkProblem(t, clearing(t, s, act, "a.b", `{"all":true}`), http.StatusBadRequest, "invalid_request")
	}
}
