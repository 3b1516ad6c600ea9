package contract_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// event waits for the next event, which has to be this message.
func event(t *testing.T, events *harness.Events, epoch string, sent harness.Receipt) harness.Event {
	t.Helper()
	e := events.Next()
	if e.Kind != "message" || e.LastID != fmt.Sprintf("%s:%d", epoch, sent.Seq) || e.Type != "message" ||
		e.Seq != sent.Seq || e.Topic != sent.Topic || e.MessageID != sent.ID || e.Time.IsZero() || e.ID != "" {
		t.Fatalf("got %s %s %s, want the message %+v", e.LastID, e.Kind, e.Raw, sent)
	}
	return e
}

// place waits for the first event, which has to tell this position.
func place(t *testing.T, events *harness.Events, kind, epoch string, seq uint64) {
	t.Helper()
	e := events.Next()
	if e.Kind != kind || e.Type != kind || e.Epoch != epoch || e.Seq != seq || e.LastID != fmt.Sprintf("%s:%d", epoch, seq) {
		t.Errorf("got %s %s %s, want a %s of %s:%d", e.LastID, e.Kind, e.Raw, kind, epoch, seq)
	}
}

func TestEventsBeginWithThePositionAndFollow(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	epoch := s.Dial(t, nil).Welcome.Epoch
	events := s.Events(t, "topics=a.*,b&topics=c&filter="+url.QueryEscape(`data.n > 1`))
	place(t, events, "position", epoch, 0)
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Type": "text/event-stream"} {
		if got := events.Response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s.Publish(t, "a.x", `{"n":1}`) // not for the filter
	event(t, events, epoch, s.Publish(t, "a.x", `{"n":2}`))
	s.Publish(t, "d", `{"n":2}`) // not for the patterns
	event(t, events, epoch, s.Publish(t, "b", `{"n":3}`))
	e := event(t, events, epoch, s.Publish(t, "c", "{\n\"n\" : 4}", "Msgq-Header-Region: eu"))
	if string(e.Data) != `{"n":4}` || e.Headers["region"] != "eu" || e.DataContentType != "application/json" {
		t.Errorf("got %s", e.Raw)
	}
}

func TestEventsStartWhereTheyAreAsked(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	epoch := s.Dial(t, nil).Welcome.Epoch
	var sent []harness.Receipt
	for i := range 4 {
		sent = append(sent, s.Publish(t, "a", fmt.Sprint(i)))
	}
	for name, test := range map[string]struct {
		from, lastID string
		after        uint64
		kind         string
	}{
		"nothing said":                 {"", "", 4, "position"},
		"new":                          {"new", "", 4, "position"},
		"all":                          {"all", "", 0, "position"},
		"after 2":                      {"after:2", "", 2, "position"},
		"after 2 of this epoch":        {"after:" + epoch + ":2", "", 2, "position"},
		"after 2 of another":           {"after:other:2", "", 0, "reset"},
		"after 2, in JSON":             {`{"after":2,"epoch":"` + epoch + `"}`, "", 2, "position"},
		"the last 3":                   {"last:3", "", 1, "position"},
		"an hour ago":                  {time.Now().Add(-time.Hour).Format(time.RFC3339), "", 0, "position"},
		"Last-Event-ID before from":    {"all", epoch + ":3", 3, "position"},
		"Last-Event-ID of another one": {"new", "other:3", 0, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if test.lastID != "" {
				headers = append(headers, "Last-Event-ID: "+test.lastID)
			}
			events := s.Events(t, "topics=a&from="+url.QueryEscape(test.from), headers...)
			place(t, events, test.kind, epoch, test.after)
			for _, m := range sent[test.after:] {
				event(t, events, epoch, m)
			}
		})
	}
}

func TestEventsResumeWithoutAGapOrARepeat(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const total = 400
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := range total {
			s.Publish(t, []string{"a", "b"}[i%2], fmt.Sprint(i))
		}
	}()
	last, seen := "", 0
	for seen < total/2 {
		var headers []string
		if last != "" {
			headers = []string{"Last-Event-ID: " + last}
		}
		events := s.Events(t, "topics=a&from=all", headers...)
		for range 1 + rand.IntN(20) {
			e := events.Next()
			last = e.LastID
			if e.Kind == "reset" {
				t.Fatalf("got %s", e.Raw)
			}
			if e.Kind != "message" {
				continue
			}
			if string(e.Data) != fmt.Sprint(2*seen) {
				t.Fatalf("message %d is %s", seen, e.Raw)
			}
			seen++
			if seen == total/2 {
				break
			}
		}
		events.Close()
	}
	<-published
}

func TestBadRequestForEventsIsAProblem(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--allowed-origins=https://app.example.com"}})
	for name, test := range map[string]struct {
		method, query, header string
		status                int
		code                  string
	}{
		"no topics":            {"GET", "", "", 400, "invalid_topic"},
		"an empty pattern":     {"GET", "topics=a,", "", 400, "invalid_topic"},
		"17 patterns":          {"GET", "topics=a" + strings.Repeat(",a", 16), "", 400, "invalid_topic"},
		"a bad filter":         {"GET", "topics=a&filter=data.n%20%3D%3D", "", 400, "invalid_filter"},
		"a bad from":           {"GET", "topics=a&from=yesterday", "", 400, "invalid_from"},
		"two froms in one":     {"GET", "topics=a&from=" + url.QueryEscape(`{"after":1,"last":1}`), "", 400, "invalid_from"},
		"a bad Last-Event-ID":  {"GET", "topics=a", "Last-Event-ID: x", 400, "invalid_from"},
		"another site's page":  {"GET", "topics=a", "Origin: https://evil.example.com", 403, "forbidden"},
		"a page without a URL": {"GET", "topics=a", "Origin: null", 403, "forbidden"},
		"another method":       {"POST", "topics=a", "", 405, "method_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if test.header != "" {
				headers = []string{test.header}
			}
			checkProblem(t, s.Do(t, test.method, s.SubscribeURL+"/v1/events?"+test.query, "", headers...), test.status, test.code)
		})
	}
	allowed := s.Events(t, "topics=a", "Origin: https://app.example.com")
	if got := allowed.Response.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example.com" {
		t.Errorf("Access-Control-Allow-Origin %q: the browser would not show the events to the page", got)
	}
}

func TestEventsAndWebSocketsShareTheLimitOfConnections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--max-connections=2"}})
	s.Dial(t, nil)
	first := s.Events(t, "topics=a")
	checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/events?topics=a", ""), http.StatusServiceUnavailable, "overloaded")
	browser := s.Events(t, "topics=a", "Accept: text/event-stream") // any other status would be the end for it
	if e, err := browser.Read(); err != nil || e.Retry == "" || e.Comment != "overloaded" {
		t.Errorf("got %+v, %v: want it to be told when to come again", e, err)
	}
	if e, err := browser.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("got %+v, %v: want the end", e, err)
	}
	first.Close()
	msgqtest.Eventually(t, "there is room again", func() bool {
		again := s.Events(t, "topics=a", "Accept: text/event-stream")
		defer again.Close()
		e, err := again.Read()
		return err == nil && e.Kind == "position"
	})
}

func TestStopEndsStreamsSoThatClientsComeBack(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	events := s.Events(t, "topics=a")
	events.Next()
	stalled := s.EventsNarrow(t, "topics=flood")
	for range 16 { // more than the sockets' buffers hold
		s.Publish(t, "flood", `"`+strings.Repeat("x", 1000<<10)+`"`)
	}
	start := time.Now()
	s.StopSubscribe()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the stop took %s: a client that does not read must not delay it", took)
	}
	e, err := events.Read()
	for err == nil && e.Retry == "" { // a position, on a slow machine
		e, err = events.Read()
	}
	if err != nil {
		t.Errorf("%v: want it to be told when to come again", err)
	}
	if e, err := events.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("got %+v, %v: want the end", e, err)
	}
	stalled.Close()
}

func TestSlowReaderOfEventsLosesNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	epoch := s.Dial(t, nil).Welcome.Epoch
	events := s.EventsNarrow(t, "topics=flood,end")
	place(t, events, "position", epoch, 0)
	for _, sent := range append(flood(t, s), s.Publish(t, "end", `1`)) {
		event(t, events, epoch, sent)
	}
}

// An event is a MiB here: the one that the client does not take waits in the server, and must not wait forever.
func TestReaderOfEventsThatTakesNothingIsDropped(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := harness.Start(t, harness.Options{})
	stalled, healthy := s.EventsNarrow(t, "topics=flood"), s.Events(t, "topics=flood")
	start := time.Now()
	for _, sent := range flood(t, s) {
		for e := healthy.Next(); e.Seq < sent.Seq; e = healthy.Next() {
		}
	}
	for look := time.NewTicker(time.Second); openStreams(t, s) > 1; <-look.C {
		if time.Since(start) > 2*time.Minute { // of a loaded machine
			t.Fatal("the client that takes nothing is still connected")
		}
	}
	if took := time.Since(start); took < 30*time.Second {
		t.Errorf("dropped after %s, want 35s", took)
	}
	_, err := stalled.Read()
	for err == nil {
		_, err = stalled.Read()
	}
	if errors.Is(err, io.EOF) {
		t.Error("the stream ended as if it were whole")
	}
	last := s.Publish(t, "flood", `1`)
	for e := healthy.Next(); e.Seq < last.Seq; e = healthy.Next() {
	}
}

func openStreams(t *testing.T, s *harness.Stack) int {
	t.Helper()
	return metric(t, s, "msgq_sse_connections")
}

// metric of the subscribe service.
func metric(t *testing.T, s *harness.Stack, name string) (n int) {
	t.Helper()
	metrics := s.Do(t, http.MethodGet, s.SubscribeURL+"/metrics", "").Body
	_, value, _ := strings.Cut(string(metrics), "\n"+name+" ")
	if _, err := fmt.Sscan(value, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
