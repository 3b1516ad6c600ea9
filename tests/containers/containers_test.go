// Package containers_test runs the images that the Dockerfiles make, beside the
// broker that the compose file names, and sends real events through all three.
//
// It needs Docker: without it the tests are skipped, or fail where
// MSGQ_REQUIRE_DOCKER=1 says that it has to be there.
package containers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestContainers(t *testing.T) {
	requireDocker(t)
	events := readEvents(t)
	s := startStack(t)

	t.Run("run as user 65532 and are healthy", func(t *testing.T) {
		for name, ctr := range s.services() {
			if state, err := ctr.State(t.Context()); err != nil || state.Health == nil || state.Health.Status != "healthy" {
				t.Errorf("%s: state %+v (%v), want it healthy", name, state, err)
			}
			// The images hold no shell: look at the process from a container beside it.
			uid := docker(t, "run", "--rm", "--pid=container:"+ctr.GetContainerID(),
				"--entrypoint=stat", natsImage, "-c", "%u:%g", "/proc/1")
			if uid != "65532:65532" {
				t.Errorf("%s runs as %s, want 65532:65532", name, uid)
			}
		}
	})

	t.Run("deliver every event once and in order", func(t *testing.T) {
		all := subscribe(t, s, "new", "github.>")
		issues := subscribe(t, s, "new", "github.issues.*", "github.end")
		var sent, sentIssues []message
		for i, e := range append(events, marker("github.end")) {
			m, err := s.publish(t.Context(), e, fmt.Sprintf("order-%d", i))
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, m)
			if e.isIssue() || e.Topic == "github.end" {
				sentIssues = append(sentIssues, m)
			}
		}
		// The marker comes last: what came twice, or did not belong, came before it.
		expect(t, all, sent)
		expect(t, issues, sentIssues)
	})

	t.Run("lose nothing when the broker is killed", func(t *testing.T) {
		live := subscribe(t, s, "new", "crash.>")
		stop := make(chan struct{})
		results := s.publishUntil(t, stop, "crash.", events)
		sent := take(t, results)
		expect(t, live, sent)
		for range 2 {
			s.killBroker(t) // in the middle of it
			more := take(t, results)
			expect(t, live, more)
			sent = append(sent, more...)
		}
		close(stop)
		for m := range results {
			expect(t, live, []message{m})
			sent = append(sent, m)
		}
		expect(t, subscribe(t, s, "all", "crash.>"), sent)
		t.Logf("%d messages were published while the broker was killed twice", len(sent))
	})

	t.Run("stop in good order", func(t *testing.T) {
		live := subscribe(t, s, "new", "github.>")
		limit := 25 * time.Second
		for name, ctr := range s.services() {
			if err := ctr.Stop(t.Context(), &limit); err != nil {
				t.Fatal(err)
			}
			if state, err := ctr.State(t.Context()); err != nil || state.ExitCode != 0 {
				t.Errorf("%s after SIGTERM: state %+v (%v), want exit code 0", name, state, err)
			}
		}
		if code := live.CloseCode(); code != websocket.CloseGoingAway {
			t.Errorf("the subscriber's connection ended with %d, want 1001", code)
		}
	})
}

func subscribe(t *testing.T, s *stack, from string, topics ...string) *harness.Socket {
	t.Helper()
	ws := s.Dial(t, nil)
	ws.Send(map[string]any{"type": "subscribe", "id": "s", "topics": topics, "from": from})
	if f := ws.WaitType("subscribed"); f.Recovered == nil || !*f.Recovered {
		t.Fatalf("%s, want it recovered", f.Raw)
	}
	return ws
}

// expect wants these messages next, in this order, each once.
func expect(t *testing.T, ws *harness.Socket, want []message) {
	t.Helper()
	for i, w := range want {
		f := ws.WaitType("message")
		if f.Seq != w.seq || f.MessageID != w.id || f.Topic != w.topic || string(f.Data) != string(w.data) {
			t.Fatalf("message %d is %.200s, want seq %d, id %s, topic %s, data %.80s", i, f.Raw, w.seq, w.id, w.topic, w.data)
		}
		if i > 0 && w.seq <= want[i-1].seq {
			t.Fatalf("message %d was stored with seq %d, the one before with %d", i, w.seq, want[i-1].seq)
		}
	}
}

// take returns the results that are there and ten more: so the publisher was at work.
func take(t *testing.T, results <-chan message) []message {
	t.Helper()
	messages := make([]message, len(results)+10)
	for i := range messages {
		m, ok := <-results
		if !ok {
			t.FailNow() // the publisher said why
		}
		messages[i] = m
	}
	return messages
}
