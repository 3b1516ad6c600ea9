package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

type connectionPage struct {
	Connections []struct {
		ID, Kind, Remote string
		Since            time.Time
		Buffered         int
		Subscriptions    []struct {
			ID, Kind, Filter, Queue string
			Topics                  []string
			Position                *uint64
			Credit                  *int
		}
	}
	Next string
}

func listConnections(t *testing.T, s *harness.Stack, query string) (page connectionPage) {
	t.Helper()
	r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/connections"+query, "")
	if r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	r.JSON(t, &page)
	return page
}

func TestConnectionsAreListedAndClosed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws, other := s.Dial(t, nil), s.Dial(t, nil)
	subscribe(t, ws, "l", object{"topics": []string{"a.>", "b"}, "filter": "data.n > 1"})
	subscribe(t, ws, "q", object{"topics": []string{"c"}, "queue": "jobs", "credit": 7})
	sent := s.Publish(t, "a.x", `{"n":2}`)
	message(t, ws, "l", sent)

	page := listConnections(t, s, "")
	if len(page.Connections) != 2 || page.Next != "" {
		t.Fatalf("got %+v, want both connections", page)
	}
	for _, c := range page.Connections {
		if c.Kind != "websocket" || c.Remote == "" || c.Since.IsZero() || c.Buffered != 0 {
			t.Errorf("connection %+v", c)
		}
		if c.ID == other.Welcome.Connection {
			if len(c.Subscriptions) != 0 {
				t.Errorf("subscriptions %+v of one that has none", c.Subscriptions)
			}
			continue
		}
		if c.ID != ws.Welcome.Connection || len(c.Subscriptions) != 2 {
			t.Fatalf("got %+v, want %s with two subscriptions", c, ws.Welcome.Connection)
		}
		live, queue := c.Subscriptions[0], c.Subscriptions[1]
		if live.ID != "l" || live.Kind != "live" || live.Filter != "data.n > 1" || len(live.Topics) != 2 || *live.Position != sent.Seq {
			t.Errorf("live subscription %+v", live)
		}
		if queue.ID != "q" || queue.Kind != "queue" || queue.Queue != "jobs" || *queue.Credit != 7 || queue.Topics[0] != "c" {
			t.Errorf("queue subscription %+v", queue)
		}
	}
	first := listConnections(t, s, "?limit=1")
	second := listConnections(t, s, "?limit=1&next="+first.Next)
	if len(first.Connections) != 1 || len(second.Connections) != 1 || second.Next != "" || first.Connections[0].ID == second.Connections[0].ID {
		t.Errorf("pages %+v and %+v, want one connection each", first, second)
	}

	url := s.SubscribeURL + "/v1/connections/" + ws.Welcome.Connection
	if r := s.Do(t, http.MethodDelete, url, ""); r.Status != http.StatusNoContent {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if code := ws.CloseCode(); code != 1001 {
		t.Errorf("close code %d, want 1001", code)
	}
	msgqtest.Eventually(t, "it is gone", func() bool { return len(listConnections(t, s, "").Connections) == 1 })
	checkProblem(t, s.Do(t, http.MethodDelete, url, ""), http.StatusNotFound, "not_found")
}

func TestStreamsOfEventsAreConnectionsToo(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	e := s.Events(t, "topics=a.>,b&filter=data.n%3D%3D1")
	e.Next() // its position
	page := listConnections(t, s, "")
	if len(page.Connections) != 1 {
		t.Fatalf("got %+v, want the stream", page)
	}
	c := page.Connections[0]
	if c.Kind != "events" || c.Remote == "" || c.Since.IsZero() || len(c.Subscriptions) != 1 {
		t.Fatalf("got %+v", c)
	}
	if sub := c.Subscriptions[0]; sub.Kind != "live" || sub.Filter != "data.n==1" || len(sub.Topics) != 2 || *sub.Position != 0 {
		t.Errorf("subscription %+v", sub)
	}
	if r := s.Do(t, http.MethodDelete, s.SubscribeURL+"/v1/connections/"+c.ID, ""); r.Status != http.StatusNoContent {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	for err := error(nil); err == nil; {
		_, err = e.Read() // to its end
	}
	msgqtest.Eventually(t, "it is gone", func() bool { return len(listConnections(t, s, "").Connections) == 0 })
}

func TestConnectionOfASlowClientShowsWhatWaitsForIt(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--client-buffer=256KiB"}})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"a"}, "queue": "q", "credit": 1000})
	large := `"` + strings.Repeat("x", 900_000) + `"`
	for range 12 { // more than the kernel takes
		s.Publish(t, "a", large)
	}
	var page connectionPage
	msgqtest.Eventually(t, "something waits", func() bool {
		page = listConnections(t, s, "")
		return page.Connections[0].Buffered > 0
	})
	if n := page.Connections[0].Buffered; n > 2<<20 {
		t.Errorf("%d bytes wait, the buffer is 256 KiB and one message", n)
	}
	for range 12 {
		settle(t, ws, "ack", "q", nil, ws.WaitType("message").Tag)
	}
	msgqtest.Eventually(t, "nothing waits", func() bool { return listConnections(t, s, "").Connections[0].Buffered == 0 })
}

func TestConnectionShowsWhereItStandsNow(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	for i := range 3 {
		s.Publish(t, "a", fmt.Sprint(i))
	}
	subscribe(t, ws, "all", object{"topics": []string{"a"}, "from": "all"})
	for range 3 {
		ws.WaitType("message")
	}
	subscribe(t, ws, "q", object{"topics": []string{"a"}, "queue": "q"})
	ws.Send(object{"type": "credit", "id": "q", "credit": 0, "ref": 1})
	ws.WaitRef("1")
	subs := listConnections(t, s, "").Connections[0].Subscriptions
	if len(subs) != 2 || *subs[0].Position != 3 || subs[0].Credit != nil || *subs[1].Credit != 0 || subs[1].Position != nil {
		t.Errorf("got %+v, want the live one at 3, the queue with credit 0", subs)
	}
	ws.Send(object{"type": "unsubscribe", "id": "all", "ref": 2})
	ws.WaitRef("2")
	if subs := listConnections(t, s, "").Connections[0].Subscriptions; len(subs) != 1 || subs[0].ID != "q" {
		t.Errorf("got %+v, want the queue alone", subs)
	}
}

func TestClosedConnectionGivesItsMessagesToOthers(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	first, second := s.Dial(t, nil), s.Dial(t, nil)
	subscribe(t, first, "q", object{"topics": []string{"jobs"}, "queue": "q", "backoff": "1h"})
	sent := s.Publish(t, "jobs", `1`)
	delivery(t, first, "q", sent, 1)
	subscribe(t, second, "other", object{"queue": "q"})
	if r := s.Do(t, http.MethodDelete, s.SubscribeURL+"/v1/connections/"+first.Welcome.Connection, ""); r.Status != http.StatusNoContent || len(r.Body) != 0 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	delivery(t, second, "other", sent, 2)
}

func TestBadRequestsForConnectionsAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	url := s.SubscribeURL + "/v1/connections"
	if page := listConnections(t, s, ""); page.Connections == nil || len(page.Connections) != 0 {
		t.Errorf("got %+v, want an empty list", page)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x"} {
		checkProblem(t, s.Do(t, http.MethodGet, url+"?"+query, ""), http.StatusBadRequest, "invalid_request")
	}
	checkProblem(t, s.Do(t, http.MethodDelete, url+"/none", ""), http.StatusNotFound, "not_found")
	checkProblem(t, s.Do(t, http.MethodGet, url+"/none", ""), http.StatusMethodNotAllowed, "method_not_allowed")
	checkProblem(t, s.Do(t, http.MethodPost, url, ""), http.StatusMethodNotAllowed, "method_not_allowed")
}
