package harness

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// Event is one server-sent event, its data read as a frame. A comment or a retry
// alone is one without a Kind.
type Event struct {
	Frame
	LastID, Kind, Retry, Comment string
}

// Events is a stream of server-sent events for one goroutine. What goes wrong fails the test.
type Events struct {
	Response *http.Response

	t     testing.TB
	lines *bufio.Reader
}

// Events asks for /v1/events with this query, such as "topics=a". Headers are like
// "Last-Event-ID: x:1". The stream ends with the test.
func (s *Stack) Events(t testing.TB, query string, headers ...string) *Events {
	t.Helper()
	return s.events(t, s.Client.Transport, query, headers)
}

// EventsNarrow is Events for a client whose kernel takes little before the client reads.
func (s *Stack) EventsNarrow(t testing.TB, query string) *Events {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, DialContext: narrow.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return s.events(t, transport, query, nil)
}

func (s *Stack) events(t testing.TB, transport http.RoundTripper, query string, headers []string) *Events {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.SubscribeURL+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := (&http.Client{Transport: transport}).Do(req) // without a timeout: each event has its own
	if err != nil {
		t.Fatal(err)
	}
	e := &Events{Response: res, t: t, lines: bufio.NewReader(res.Body)}
	t.Cleanup(e.Close)
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("events?%s: status %s, content type %q", query, res.Status, kind)
	}
	return e
}

// Close ends the stream.
func (e *Events) Close() { _ = e.Response.Body.Close() }

// Next waits for the next event with a kind; comments before it are dropped.
func (e *Events) Next() Event {
	e.t.Helper()
	for {
		event, err := e.Read()
		if err != nil {
			e.t.Fatalf("waiting for an event: %v", err)
		}
		if event.Kind != "" {
			return event
		}
	}
}

// Read waits for the next event, comment or retry, or for the end of the stream.
func (e *Events) Read() (Event, error) {
	e.t.Helper()
	late := time.AfterFunc(msgqtest.Timeout, e.Close)
	defer late.Stop()
	var event Event
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return event, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return event, nil
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "id":
			event.LastID = value
		case "event":
			event.Kind = value
		case "retry":
			event.Retry = value
		case "":
			event.Comment = value
		case "data":
			event.Raw = value
			if err := json.Unmarshal([]byte(value), &event.Frame); err != nil {
				e.t.Fatalf("data %q: %v", value, err)
			}
		default:
			e.t.Fatalf("line %q is none of id, event, data, retry and a comment", line)
		}
	}
}
