package contract_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

type connectionPage struct {
	Connections []struct {
		ID, Remote    string
		Since         time.Time
		Buffered      int
		Subscriptions []struct {
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
		if c.Remote == "" || c.Since.IsZero() || c.Buffered != 0 {
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
