package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// publishFlood publishes floodOf messages of 400 KiB: more than the sockets of a narrow client take.
func publishFlood(t *testing.T, s *harness.Stack) {
	t.Helper()
	data := fmt.Sprintf("%q", strings.Repeat("x", 400<<10))
	for range floodOf {
		s.Publish(t, "flood", data)
	}
}

// passAckWaits returns when two ack waits have passed, which a queue of its own shows.
func passAckWaits(t *testing.T, s *harness.Stack, wait string) {
	t.Helper()
	ws := s.Dial(t, nil)
	subscribe(t, ws, "clock", object{"topics": []string{"clock"}, "queue": "clock", "ack_wait": wait, "backoff": "10ms"})
	tick := s.Publish(t, "clock", `1`)
	for attempt := 1; attempt <= 3; attempt++ {
		delivery(t, ws, "clock", tick, attempt)
	}
}

// nextOf waits for a message of one subscription.
func nextOf(ws *harness.Socket, id string) harness.Frame {
	f := ws.WaitType("message")
	for f.ID != id {
		f = ws.WaitType("message")
	}
	return f
}

// waitStalled waits until what is buffered for the one connection stays the same for a while.
func waitStalled(t *testing.T, s *harness.Stack) {
	t.Helper()
	before, same := 0, 0
	msgqtest.Eventually(t, "the client's sockets are full", func() bool {
		var page struct{ Connections []struct{ Buffered int } }
		s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/connections", "").JSON(t, &page)
		now := page.Connections[0].Buffered
		same++
		if now == 0 || now != before {
			before, same = now, 0
		}
		return same == 20
	})
}

func TestAckWaitBeginsWhenTheMessageIsWritten(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.DialNarrow(t)
	const wait = "3s" // a busy machine needs some time between the socket and the ack
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "ack_wait": wait})
	subscribe(t, ws, "live", object{"topics": []string{"flood"}})
	publishFlood(t, s) // which the client does not read
	waitStalled(t, s)
	first, second := s.Publish(t, "jobs", `1`), s.Publish(t, "jobs", `2`)
	waitQueue(t, s, "q", 0, 2, 0)
	passAckWaits(t, s, wait)

	unacked, acked := nextOf(ws, "q"), nextOf(ws, "q")
	if unacked.Seq != first.Seq || acked.Seq != second.Seq || unacked.Attempt != 1 || acked.Attempt != 1 {
		t.Fatalf("got %s and %s, want the first attempts at both", unacked.Raw, acked.Raw)
	}
	settle(t, ws, "ack", "q", nil, acked.Tag) // and not unknown_tag
	again := nextOf(ws, "q")                  // written, it comes again when the ack wait is over
	if again.Seq != first.Seq || again.Attempt != 2 {
		t.Errorf("got %s, want the second attempt at the one that was not acknowledged", again.Raw)
	}
}

func TestUnwrittenMessagesOfAConnectionThatEndsGoToAnother(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--client-buffer=64MiB"}})
	createQueue(t, s, "q", object{"topics": []string{"flood"}, "from": "all", "ack_wait": "10m", "backoff": "1h"})
	publishFlood(t, s)
	stalled := s.DialNarrow(t)
	subscribe(t, stalled, "q", object{"queue": "q", "credit": floodOf})
	waitQueue(t, s, "q", 0, floodOf, 0)
	other := s.Dial(t, nil)
	subscribe(t, other, "q", object{"queue": "q", "credit": floodOf})
	_ = stalled.Conn.Close()
	seen := map[uint64]bool{}
	for len(seen) < floodOf {
		f := other.WaitType("message")
		if f.Attempt != 2 {
			t.Fatalf("seq %d: attempt %d, want 2", f.Seq, f.Attempt)
		}
		seen[f.Seq] = true
		settle(t, other, "ack", "q", nil, f.Tag)
	}
	waitQueue(t, s, "q", 0, 0, 0)
}
