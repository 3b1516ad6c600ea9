package faults_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestBrokerKilledBetweenPublishAndReceiveLosesNothing(t *testing.T) {
	s := startStack(t)
	worker := s.Dial(t, nil)
	worker.Send(map[string]any{"type": "subscribe", "id": "q", "queue": "jobs", "topics": []string{"jobs.>"}, "credit": 0})
	worker.WaitType("subscribed")
	live := s.Dial(t, nil)
	live.Send(map[string]any{"type": "subscribe", "id": "l", "topics": []string{"jobs.>"}})
	live.WaitType("subscribed")

	const n = 50
	for i := range n {
		s.Publish(t, "jobs.a", fmt.Sprintf(`{"n":%d}`, i))
	}
	s.broker.end(syscall.SIGKILL)
	s.broker.run()
	s.WaitReady(t)
	s.Publish(t, "jobs.a", fmt.Sprintf(`{"n":%d}`, n))

	for i := range n + 1 {
		if m := live.WaitType("message"); string(m.Data) != fmt.Sprintf(`{"n":%d}`, i) {
			t.Fatalf("live message %d is %s", i, m.Data)
		}
	}
	worker.Send(map[string]any{"type": "credit", "id": "q", "credit": 100})
	seen := make(map[string]bool)
	for len(seen) < n+1 {
		m := worker.WaitType("message")
		worker.Send(map[string]any{"type": "ack", "id": "q", "tags": []string{m.Tag}})
		seen[string(m.Data)] = true
	}
}

func TestFrozenBrokerAnswers503InTimeAndEverythingIsWellAgain(t *testing.T) {
	s := startStack(t)
	live := s.Dial(t, nil)
	live.Send(map[string]any{"type": "subscribe", "id": "l", "topics": []string{">"}})
	live.WaitType("subscribed")
	s.broker.kill(syscall.SIGSTOP)

	t.Run("frozen", func(t *testing.T) { publishWhileFrozen(t, s) })
	for _, url := range []string{s.PublishURL, s.SubscribeURL} {
		if r := s.Do(t, http.MethodGet, url+"/readyz", ""); r.Status != http.StatusServiceUnavailable {
			t.Errorf("%s/readyz: %d", url, r.Status)
		}
		if r := s.Do(t, http.MethodGet, url+"/healthz", ""); r.Status != http.StatusOK {
			t.Errorf("%s/healthz: %d", url, r.Status)
		}
	}
	s.broker.kill(syscall.SIGCONT)
	s.WaitReady(t)
	s.Publish(t, "a", `"after"`)
	for { // what was answered 503 may or may not be stored
		if m := live.WaitType("message"); string(m.Data) == `"after"` {
			return
		}
	}
}

// publishWhileFrozen wants a 503 within 5 s for each way to publish.
func publishWhileFrozen(t *testing.T, s *stack) {
	t.Helper()
	item := `{"topic":"a","data":1}` + "\n"
	later := `{"topic":"a","data":1,"delay":"1h"}` + "\n"
	for name, test := range map[string]struct{ path, body, header string }{
		"one":                {"/v1/topics/a/messages", "x", "Msgq-Header-A: b"},
		"one with an id":     {"/v1/topics/a/messages", "x", "Idempotency-Key: frozen"},
		"delayed":            {"/v1/topics/a/messages", "x", "Msgq-Delay: 1h"},
		"batch":              {"/v1/messages", strings.Repeat(item, 20), "Content-Type: application/x-ndjson"},
		"batch of delayed":   {"/v1/messages", strings.Repeat(later, 20), "Content-Type: application/x-ndjson"},
		"batch of both":      {"/v1/messages", strings.Repeat(item+later, 20), "Content-Type: application/x-ndjson"},
		"batch of many runs": {"/v1/messages", strings.Repeat(item, 5000), "Content-Type: application/x-ndjson"},
		"atomic batch":       {"/v1/messages?atomic=true", strings.Repeat(item, 20), "Content-Type: application/x-ndjson"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			r := s.Do(t, http.MethodPost, s.PublishURL+test.path, test.body, test.header)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("the answer took %s, want at most 5s", took)
			}
			if r.Status == http.StatusOK { // of a batch
				if strings.Contains(string(r.Body), `"status":20`) || !strings.Contains(string(r.Body), "broker_unavailable") {
					t.Errorf("%.300s, want broker_unavailable for each", r.Body)
				}
				return
			}
			if r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
				t.Errorf("%d %.300s, Retry-After %q", r.Status, r.Body, r.Header.Get("Retry-After"))
			}
		})
	}
}

func TestWorkerServiceKilledHandsItsMessagesToTheOther(t *testing.T) {
	s := startStack(t)
	worker := s.Dial(t, nil)
	worker.Send(map[string]any{"type": "subscribe", "id": "q", "queue": "jobs", "topics": []string{"jobs"}, "ack_wait": "1s"})
	worker.WaitType("subscribed")
	s.Publish(t, "jobs", `1`)
	if m := worker.WaitType("message"); m.Attempt != 1 {
		t.Errorf("attempt %d", m.Attempt)
	}
	s.subscribe.end(syscall.SIGKILL)
	s.subscribe.run()
	msgqtest.Eventually(t, "the service answers", func() bool { return answers(t, s.Client, s.SubscribeURL+"/healthz") })
	s.WaitReady(t)

	again := s.Dial(t, nil)
	again.Send(map[string]any{"type": "subscribe", "id": "q", "queue": "jobs"})
	again.WaitType("subscribed")
	m := again.WaitType("message")
	if m.Attempt != 2 || string(m.Data) != "1" {
		t.Errorf("attempt %d, data %s", m.Attempt, m.Data)
	}
	again.Send(map[string]any{"type": "ack", "id": "q", "tags": []string{m.Tag}, "ref": 1})
	again.WaitType("ok")
}

func TestStoppedServicesFinishWhatTheyAccepted(t *testing.T) {
	s := startStack(t)
	live := s.Dial(t, nil)
	live.Send(map[string]any{"type": "subscribe", "id": "l", "topics": []string{">"}})
	live.WaitType("subscribed")
	const callers = 8
	acknowledged := make(chan harness.Receipt, 1<<16)
	ended := make(chan struct{}, callers)
	for caller := range callers {
		go func() {
			defer func() { ended <- struct{}{} }()
			for i := 0; ; i++ {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.PublishURL+"/v1/topics/a/messages", http.NoBody)
				if err != nil {
					return
				}
				res, err := s.Client.Do(req)
				if err != nil { // the listener is closed
					return
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusCreated {
					t.Errorf("caller %d, request %d: %s", caller, i, res.Status)
					return
				}
				acknowledged <- harness.Receipt{}
			}
		}()
	}
	for range 200 {
		live.WaitType("message")
	}
	s.publish.end(syscall.SIGTERM)
	if code := s.publish.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the publish service ended with exit code %d", code)
	}
	for range callers {
		<-ended
	}
	for range len(acknowledged) - 200 { // what was acknowledged is there; it may be more
		live.WaitType("message")
	}
	s.subscribe.kill(syscall.SIGTERM)
	if code := live.CloseCode(); code != 1001 {
		t.Errorf("close code %d, want 1001", code)
	}
	s.subscribe.end(syscall.SIGTERM)
	if code := s.subscribe.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the subscribe service ended with exit code %d", code)
	}
}
