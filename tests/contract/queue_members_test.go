package contract_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestMessagesOfAConnectionThatDropsGoToAnother(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for name, drop := range map[string]func(*harness.Socket){
		"cut":          func(ws *harness.Socket) { _ = ws.Conn.NetConn().Close() },
		"unsubscribed": func(ws *harness.Socket) { ws.Send(object{"type": "unsubscribe", "id": "q"}) },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := s.Dial(t, nil), s.Dial(t, nil)
			subscribe(t, first, "q", object{"topics": []string{name}, "queue": name, "backoff": "1h"})
			sent := s.Publish(t, name, `1`)
			delivery(t, first, "q", sent, 1)
			subscribe(t, second, "other", object{"queue": name}) // joins: settings left out
			drop(first)
			start := time.Now()
			delivery(t, second, "other", sent, 2)
			if waited := time.Since(start); waited > 10*time.Second { // far below the ack wait of 30 s
				t.Errorf("came after %s, want at once", waited)
			}
		})
	}
}

func TestMembersShareAQueue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sockets := []*harness.Socket{s.Dial(t, nil), s.Dial(t, nil)}
	for _, ws := range sockets {
		subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 5})
	}
	seqs := map[uint64]int{}
	for i := range 10 {
		s.Publish(t, "jobs", fmt.Sprint(i))
	}
	for _, ws := range sockets {
		for range 5 {
			seqs[ws.WaitType("message").Seq]++
		}
	}
	if len(seqs) != 10 {
		t.Errorf("got %v, want each of 10 messages at one member", seqs)
	}
}

func TestMemberIsToldThatItsQueueWasDeleted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	if r := s.Do(t, http.MethodDelete, queueURL(s, "q"), ""); r.Status != http.StatusNoContent {
		t.Fatalf("delete: %d %s", r.Status, r.Body)
	}
	if f := ws.Next(); f.Type != "unsubscribed" || f.ID != "q" || f.Code == "" {
		t.Errorf("got %s, want unsubscribed with a code", f.Raw)
	}
	for _, kind := range []string{"ack", "credit"} {
		ws.Send(object{"type": kind, "id": "q", "tags": []string{"x"}, "credit": 1, "ref": kind})
		if f := ws.Next(); f.Code != "unknown_id" {
			t.Errorf("%s: got %s, want unknown_id", kind, f.Raw)
		}
	}
	subscribe(t, ws, "q", object{"topics": []string{"other"}, "queue": "q"}) // both names are free again
	delivery(t, ws, "q", s.Publish(t, "other", `1`), 1)
}

func TestLastAttemptLostWithItsConnectionMakesADeadLetter(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sent := s.Publish(t, "jobs", `1`)
	for attempt := range 3 {
		ws := s.Dial(t, nil)
		subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "max_attempts": 3, "from": "all"})
		delivery(t, ws, "q", sent, attempt+1)
		_ = ws.Conn.NetConn().Close()
	}
	waitQueue(t, s, "q", 0, 0, 1) // nobody is there to be given it again
	if info := getCounts(t, s); info.Delivered != 3 {
		t.Errorf("%d were delivered, want 3", info.Delivered)
	}
}
