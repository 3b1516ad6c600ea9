package recipes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// python is Debian's: it has Debian's packages.
const python = "/usr/bin/python3"

func needWebsockets(t *testing.T) {
	t.Helper()
	need(t, "MSGQ_REQUIRE_PYTHON", "Python with websockets (Debian: apt-get install python3-websockets)", python, "-c", "import websockets")
}

// dropConnections closes all WebSockets of the service, and returns how many there were.
func dropConnections(t *testing.T, s *harness.Stack) int {
	t.Helper()
	var page struct{ Connections []struct{ ID string } }
	s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/connections", "").JSON(t, &page)
	for _, c := range page.Connections {
		if r := s.Do(t, http.MethodDelete, s.SubscribeURL+"/v1/connections/"+c.ID, ""); r.Status != http.StatusNoContent {
			t.Fatalf("close %s: %d %s", c.ID, r.Status, r.Body)
		}
	}
	return len(page.Connections)
}

func TestWorkerInPython(t *testing.T) {
	t.Parallel()
	needWebsockets(t)
	s := harness.Start(t, harness.Options{})
	const work = "def work(message):"
	script := s.Recipe(t, "A worker in Python", "python")
	if !strings.Contains(script, work) {
		t.Fatalf("no %q in the recipe", work)
	}
	worker := run(t, python, strings.Replace(script, work, work+`
    if message["data"] == "bad":
        raise ValueError("no such customer")
    if message["data"] == "busy" and message["attempt"] == 1:
        raise RuntimeError("the printer is away")
`, 1))
	waitJSON(t, s, "/v1/connections", `"queue":"workers"`, `"credit":8`)

	s.Publish(t, "jobs.print", `{"page": "ü"}`)
	worker.expect(t, "1 jobs.print {'page': 'ü'}")
	waitJSON(t, s, "/v1/queues/workers", `"acknowledged":1,`)
	s.Publish(t, "jobs.print", `"busy"`) // nack
	worker.expect(t, "2 jobs.print busy")
	s.Publish(t, "jobs.print", `"bad"`) // reject
	waitJSON(t, s, "/v1/queues/workers/dead", `"reason":"ValueError('no such customer')"`, `"attempts":1`)

	if n := dropConnections(t, s); n != 1 {
		t.Fatalf("%d connections, want 1", n)
	}
	for i := range 50 { // more than the credit
		s.Publish(t, "jobs.count", fmt.Sprint(i))
	}
	seen := map[string]bool{}
	for range 50 {
		seen[msgqtest.Receive(t, worker.lines, "line")] = true
	}
	if len(seen) != 50 {
		t.Errorf("worked on %d of 50: %v", len(seen), seen)
	}
	waitJSON(t, s, "/v1/queues/workers", `"ready":0`, `"in_flight":0`, `"dead":1`, `"acknowledged":52`)
}

func TestSubscriberInPythonResumes(t *testing.T) {
	t.Parallel()
	needWebsockets(t)
	s := harness.Start(t, harness.Options{})
	subscriber := run(t, python, s.Recipe(t, "Follow a topic in Python", "python"))
	waitJSON(t, s, "/v1/connections", `"kind":"live"`)
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			s.Publish(t, "jobs.count", fmt.Sprint(i))
		}
	}
	expect := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			subscriber.expect(t, fmt.Sprintf("%d jobs.count %d", i+1, i))
		}
	}
	publish(0, 10)
	expect(0, 10)
	for round := range 3 { // published while nobody listens: no gap, no repeat
		msgqtest.Eventually(t, "the connection", func() bool { return dropConnections(t, s) > 0 })
		publish(10+10*round, 20+10*round)
		expect(10+10*round, 20+10*round)
	}
	var page struct{ Connections []json.RawMessage }
	s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/connections", "").JSON(t, &page)
	if len(page.Connections) != 1 {
		t.Errorf("%d connections, want the one", len(page.Connections))
	}
}
