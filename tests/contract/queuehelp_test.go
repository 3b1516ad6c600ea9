package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

type queueInfo struct {
	Name        string
	Topics      []string
	Filter      string
	MaxAttempts int    `json:"max_attempts"`
	AckWait     string `json:"ack_wait"`
	Backoff     any
	Push        map[string]any
	Ready, Dead int
	InFlight    int `json:"in_flight"`
}

func queueURL(s *harness.Stack, name string) string { return s.SubscribeURL + "/v1/queues/" + name }

func getQueue(t *testing.T, s *harness.Stack, name string) queueInfo {
	t.Helper()
	r := s.Do(t, http.MethodGet, queueURL(s, name), "")
	if r.Status != http.StatusOK {
		t.Fatalf("queue %s: %d %s", name, r.Status, r.Body)
	}
	var info queueInfo
	r.JSON(t, &info)
	return info
}

func waitQueue(t *testing.T, s *harness.Stack, name string, ready, inFlight, dead int) {
	t.Helper()
	what := fmt.Sprintf("queue %s has %d ready, %d in flight, %d dead", name, ready, inFlight, dead)
	msgqtest.Eventually(t, what, func() bool {
		info := getQueue(t, s, name)
		return info.Ready == ready && info.InFlight == inFlight && info.Dead == dead
	})
}

func putQueue(t *testing.T, s *harness.Stack, name string, settings object) harness.Response {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return s.Do(t, http.MethodPut, queueURL(s, name), string(text), "Content-Type: application/json")
}

func createQueue(t *testing.T, s *harness.Stack, name string, settings object) {
	t.Helper()
	if r := putQueue(t, s, name, settings); r.Status != http.StatusCreated {
		t.Fatalf("create queue: %d %s", r.Status, r.Body)
	}
}

// delivery waits for the next object, which has to be this attempt at the message.
func delivery(t *testing.T, ws *harness.Socket, id string, sent harness.Receipt, attempt int) harness.Frame {
	t.Helper()
	f := message(t, ws, id, sent)
	if f.Tag == "" || f.Attempt != attempt {
		t.Fatalf("got %s, want a tag and attempt %d", f.Raw, attempt)
	}
	return f
}

// settle sends an ack, nack, reject or progress and waits for its ok.
func settle(t *testing.T, ws *harness.Socket, kind, id string, fields object, tags ...string) {
	t.Helper()
	o := object{"type": kind, "id": id, "tags": tags, "ref": "s"}
	maps.Copy(o, fields)
	ws.Send(o)
	// What it makes room for, or brings again, may come before the answer.
	if f := ws.WaitRef(`"s"`); f.Type != "ok" {
		t.Fatalf("%s: got %s, want ok", kind, f.Raw)
	}
}
