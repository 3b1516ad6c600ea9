package contract_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

const (
	loadDead = 500  // dead letters of each queue, before
	loadNew  = 2000 // messages published meanwhile
)

// The queues one and two have the same messages; one has its dead letters redriven at one
// instance while publishers are busy and members of both work at two instances.
func TestRedriveOverHTTPUnderLoadReachesOneQueueAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	names := []string{"one", "two"}
	for _, name := range names {
		createQueue(t, s, name, object{"topics": []string{"load.*"}, "ack_wait": "5m"})
	}
	s.PublishMany(t, loadDead, "load.old")
	for _, name := range names {
		rejectMany(t, s, name, loadDead)
	}

	oneHere, twoHere := loadMember(t, s, "one"), loadMember(t, s, "two")
	s.StartSubscribe(t)
	s.WaitReady(t)
	oneThere, twoThere := loadMember(t, s, "one"), loadMember(t, s, "two")
	got := make(chan harness.Frame, 2*(loadDead+loadNew)) // room for all, so that members never wait for the test
	var members, publishers sync.WaitGroup
	for _, ws := range []*harness.Socket{oneHere, twoHere, oneThere, twoThere} {
		members.Go(func() { ackAll(ws, got) })
	}
	for range 4 {
		publishers.Go(func() { s.PublishMany(t, loadNew/4, "load.new") })
	}
	publishers.Go(func() { checkCount(t, clearing(t, s, "redrive", "one", `{"all":true}`), loadDead) })

	late := time.After(msgqtest.Timeout)
	seen := map[string]map[string]map[string]bool{"one": {}, "two": {}} // queue, topic, message_id
	for len(seen["one"]["load.old"]) < loadDead || len(seen["one"]["load.new"]) < loadNew || len(seen["two"]["load.new"]) < loadNew {
		select {
		case f := <-got:
			if seen[f.ID][f.Topic] == nil {
				seen[f.ID][f.Topic] = map[string]bool{}
			}
			seen[f.ID][f.Topic][f.MessageID] = true
			if f.Attempt != 1 || f.ID == "two" && f.Topic == "load.old" {
				t.Errorf("got %s, want first attempts, and nothing redriven in two", f.Raw)
			}
		case <-late:
			t.Fatalf("of one %d and %d came, of two %d", len(seen["one"]["load.old"]), len(seen["one"]["load.new"]), len(seen["two"]["load.new"]))
		}
	}
	publishers.Wait()
	waitQueue(t, s, "one", 0, 0, 0)
	waitQueue(t, s, "two", 0, 0, loadDead)
	for _, ws := range []*harness.Socket{oneHere, twoHere, oneThere, twoThere} {
		_ = ws.Conn.Close()
	}
	members.Wait()
	close(got)
	for f := range got {
		t.Errorf("got %s when all had come", f.Raw)
	}
}

// rejectMany pulls the n messages of a queue and rejects them.
func rejectMany(t *testing.T, s *harness.Stack, queue string, n int) {
	t.Helper()
	for left := n; left > 0; {
		messages := pullSome(t, s, queue, `{"max":100,"wait":"5s"}`)
		tags := make([]string, len(messages))
		statuses := make([]int, len(messages))
		for i, m := range messages {
			tags[i], statuses[i] = m.Tag, http.StatusOK
		}
		if len(tags) > 0 {
			settleTags(t, s, "reject", queue, nil, tags, statuses...)
		}
		left -= len(tags)
	}
	waitQueue(t, s, queue, 0, 0, n)
}

func loadMember(t *testing.T, s *harness.Stack, queue string) *harness.Socket {
	t.Helper()
	ws := s.Dial(t, nil)
	subscribe(t, ws, queue, object{"queue": queue, "credit": 100})
	return ws
}

// ackAll acknowledges what comes, and hands it on, until the connection ends.
func ackAll(ws *harness.Socket, got chan<- harness.Frame) {
	for {
		_, lines, err := ws.Conn.ReadMessage()
		if err != nil {
			return
		}
		for line := range bytes.SplitSeq(lines, []byte("\n")) {
			f := harness.Frame{Raw: string(line)}
			if json.Unmarshal(line, &f) != nil || f.Type != "message" {
				continue
			}
			got <- f
			_ = ws.Conn.WriteJSON(object{"type": "ack", "id": f.ID, "tags": []string{f.Tag}})
		}
	}
}
