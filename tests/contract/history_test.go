package contract_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

type historyPage struct {
	Messages  []harness.Frame
	Epoch     string
	Seq       uint64
	Recovered bool
	Next      string
}

func history(t *testing.T, s *harness.Stack, pattern, query string) historyPage {
	t.Helper()
	r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics/"+url.PathEscape(pattern)+"/messages?"+query, "")
	if r.Status != http.StatusOK {
		t.Fatalf("history of %s?%s: %d %s", pattern, query, r.Status, r.Body)
	}
	var page historyPage
	r.JSON(t, &page)
	return page
}

func seqs(messages []harness.Frame) []uint64 {
	var all []uint64
	for _, m := range messages {
		all = append(all, m.Seq)
	}
	return all
}

func TestHistoryIsReadOldestFirstInPages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for i := range 9 {
		s.Publish(t, []string{"a.x", "a.y", "b"}[i%3], fmt.Sprintf(`{"n":%d}`, i))
	}
	for name, test := range map[string]struct {
		pattern, query string
		want           []uint64
	}{
		"a topic":           {"a.x", "", []uint64{1, 4, 7}},
		"a pattern":         {"a.*", "limit=2", []uint64{1, 2, 4, 5, 7, 8}},
		"everything by one": {">", "limit=1", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"a filter":          {">", "limit=2&filter=" + url.QueryEscape("data.n > 5"), []uint64{7, 8, 9}},
		"from a position":   {"a.>", "from=after:4", []uint64{5, 7, 8}},
		"the last two":      {"a.>", "from=last:2", []uint64{7, 8}},
		"nothing":           {"c", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []uint64
			page := history(t, s, test.pattern, test.query)
			for pages := 1; ; pages++ {
				got = append(got, seqs(page.Messages)...)
				if page.Next == "" {
					break
				}
				if pages > 20 {
					t.Fatal("the pages have no end")
				}
				page = history(t, s, test.pattern, test.query+"&next="+url.QueryEscape(page.Next))
			}
			if !slices.Equal(got, test.want) || !page.Recovered || page.Seq != 9 {
				t.Errorf("got %v and %+v, want %v and the position 9", got, page, test.want)
			}
		})
	}
	m := history(t, s, "a.x", "limit=1").Messages[0]
	if m.Topic != "a.x" || string(m.Data) != `{"n":0}` || m.MessageID == "" || m.Time.IsZero() {
		t.Errorf("got %+v", m)
	}
	if page := history(t, s, ">", "from=after:other:5"); page.Recovered || len(page.Messages) != 9 {
		t.Errorf("after a position of another epoch: %+v, want all and recovered false", page)
	}
}

func TestHistoryStartsWhereItIsAskedAndSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for i := range 4 {
		s.Publish(t, "a", fmt.Sprint(i))
	}
	all := history(t, s, "a", "")
	third := all.Messages[2].Time.Format(time.RFC3339Nano)
	for from, want := range map[string][]uint64{
		"all": {1, 2, 3, 4}, "new": nil, "after:2": {3, 4}, "after:" + all.Epoch + ":3": {4}, `{"after":1}`: {2, 3, 4},
		third: {3, 4}, "time:" + third: {3, 4}, `{"time":"` + third + `"}`: {3, 4}, "last:1": {4}, `{"last":3}`: {2, 3, 4},
	} {
		if page := history(t, s, "a", "from="+url.QueryEscape(from)); !slices.Equal(seqs(page.Messages), want) || !page.Recovered || page.Epoch != all.Epoch {
			t.Errorf("from %s: %+v, want %v", from, page, want)
		}
	}
	for query, code := range map[string]string{
		"a/messages?limit=0": "invalid_request", "a/messages?limit=1001": "invalid_request", "a/messages?limit=x": "invalid_request",
		"a/messages?from=x": "invalid_from", "a/messages?from=last:0": "invalid_from", "a/messages?from=last:10001": "invalid_from",
		"a/messages?next=x": "invalid_from", "a/messages?filter=1": "invalid_filter", "a..b/messages": "invalid_topic", "%24JS.%3E/messages": "invalid_topic",
	} {
		checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics/"+query, ""), http.StatusBadRequest, code)
	}
	if page := history(t, s, "a", "limit=1000"); len(page.Messages) != 4 {
		t.Errorf("limit=1000: %+v", page)
	}
}

func TestHistoryOfAFilterThatMatchesNothingEndsInTime(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const total = 3000 // several reads of the broker
	s.PublishMany(t, total, "a")
	page := history(t, s, "a", "filter="+url.QueryEscape(`data.n < 0`))
	for page.Next != "" { // on a slow machine
		page = history(t, s, "a", "filter="+url.QueryEscape(`data.n < 0`)+"&next="+url.QueryEscape(page.Next))
	}
	if len(page.Messages) != 0 || page.Seq != total {
		t.Errorf("got %+v, want no messages and position %d", page, total)
	}
}

func TestTopicsAreListedInPages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for i := range 5 {
		for range i + 1 {
			s.Publish(t, fmt.Sprintf("a.%d", i), `1`)
		}
	}
	s.Publish(t, "b", `1`)
	type topic struct {
		Topic    string
		Messages uint64
		LastSeq  uint64 `json:"last_seq"`
	}
	var got []topic
	for next := ""; ; {
		r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics?pattern=a.*&limit=2&next="+next, "")
		var page struct {
			Topics []topic
			Next   string
		}
		r.JSON(t, &page)
		got = append(got, page.Topics...)
		if next = page.Next; next == "" {
			break
		}
	}
	want := []topic{{"a.0", 1, 1}, {"a.1", 2, 3}, {"a.2", 3, 6}, {"a.3", 4, 10}, {"a.4", 5, 15}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics?pattern=none", "")
	if string(r.Body) != "{\"topics\":[]}\n" {
		t.Errorf("no topics: %s", r.Body)
	}
	checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics?pattern=..", ""), http.StatusBadRequest, "invalid_topic")
}

func TestDeletedMessageIsGoneForEveryReader(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "live", object{"topics": []string{">"}}) // has the messages kept in memory
	for i := range 3 {
		message(t, ws, "live", s.Publish(t, "a", fmt.Sprint(i)))
	}
	history(t, s, "a", "")
	messages := s.SubscribeURL + "/v1/messages/"
	if r := s.Do(t, http.MethodDelete, messages+"2", ""); r.Status != http.StatusNoContent {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	for _, seq := range []string{"2", "0", "99"} {
		checkProblem(t, s.Do(t, http.MethodDelete, messages+seq, ""), http.StatusNotFound, "not_found")
	}
	checkProblem(t, s.Do(t, http.MethodDelete, messages+"x", ""), http.StatusBadRequest, "invalid_request")
	if got := seqs(history(t, s, "a", "").Messages); !slices.Equal(got, []uint64{1, 3}) {
		t.Errorf("history has %v, want 1 and 3", got)
	}
	for _, from := range []any{"all", object{"after": 1}} {
		ws := s.Dial(t, nil)
		subscribe(t, ws, "again", object{"topics": []string{">"}, "from": from})
		for {
			if m := ws.WaitType("message"); m.Seq == 2 {
				t.Fatalf("from %v: the deleted message comes", from)
			} else if m.Seq == 3 {
				break
			}
		}
	}
}

func TestFilterIsCheckedAgainstAMessage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	check := func(filter string, message any) harness.Response {
		t.Helper()
		body := object{"filter": filter}
		if message != nil {
			body["message"] = message
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return s.Do(t, http.MethodPost, s.SubscribeURL+"/v1/filters/check", string(text))
	}
	for _, test := range []struct {
		filter  string
		message any
		want    string
	}{
		{`data.n > 1`, nil, `{"ok":true}`},
		{`data.n > 1`, object{"data": object{"n": 2}}, `{"ok":true,"matches":true}`},
		{`data.n > 1`, object{"data": object{"n": 1}, "type": "message", "id": "s"}, `{"ok":true,"matches":false}`},
		{`topic == "a" && headers["x"] == "y"`, object{"topic": "a", "headers": object{"x": "y"}}, `{"ok":true,"matches":true}`},
		{`data == null`, object{"data_base64": "AAE=", "datacontenttype": "image/png"}, `{"ok":true,"matches":true}`},
		{`seq == 7`, object{"seq": 7}, `{"ok":true,"matches":true}`},
		{`topic == ""`, json.RawMessage("null"), `{"ok":true}`},
		{`id == "m"`, object{"message_id": "m", "id": "s"}, `{"ok":true,"matches":true}`},
		{`id == "m"`, object{"id": "m"}, `{"ok":true,"matches":true}`},
	} {
		if r := check(test.filter, test.message); r.Status != http.StatusOK || string(r.Body) != test.want+"\n" {
			t.Errorf("%s on %v: %d %s, want %s", test.filter, test.message, r.Status, r.Body, test.want)
		}
	}
	var wrong struct {
		OK    bool
		Error struct {
			Message, Hint string
			Line, Column  int
		}
	}
	check("data.n > 1 &&\n  nothing == 2", nil).JSON(t, &wrong)
	if wrong.OK || wrong.Error.Line != 2 || wrong.Error.Column != 3 || wrong.Error.Message == "" {
		t.Errorf("got %+v, want an error at line 2, column 3", wrong)
	}
	checkProblem(t, check("true", 7), http.StatusBadRequest, "invalid_request")
}

// The broker's own times end in 1677 and 2262.
func TestFromATimeOfAnotherAge(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sent := s.Publish(t, "a", `1`)
	for at, want := range map[string]int{"0001-01-01T00:00:00Z": 1, "1600-01-01T00:00:00Z": 1, "2500-01-01T00:00:00Z": 0, "9999-12-31T23:59:59Z": 0} {
		if page := history(t, s, "a", "from="+at); len(page.Messages) != want {
			t.Errorf("from %s: %d messages, want %d", at, len(page.Messages), want)
		}
		createQueue(t, s, "q"+at[:4], object{"topics": []string{"a"}, "from": object{"time": at}})
		waitQueue(t, s, "q"+at[:4], want, 0, 0)
		ws := s.Dial(t, nil)
		f := subscribe(t, ws, "s", object{"topics": []string{"a"}, "from": object{"time": at}})
		if want == 1 {
			message(t, ws, "s", sent)
		} else if f.Seq != sent.Seq || !*f.Recovered {
			t.Errorf("from %s: %s, want seq %d", at, f.Raw, sent.Seq)
		}
	}
}
