package contract_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestPulledMessageHasAllItsFields(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	if m := pull(t, s, "q", "", 0); m == nil {
		t.Error("want an empty list")
	}
	first := s.Publish(t, "jobs", `{"html":"<b>"}`, "Msgq-Header-Region: eu")
	s.Publish(t, "jobs", `text`, "Content-Type: text/plain")
	r := pullRaw(t, s, "q", "") // max 1, wait 0s
	var answer struct{ Messages []harness.Frame }
	r.JSON(t, &answer)
	m := answer.Messages[0]
	if len(answer.Messages) != 1 || m.Seq != first.Seq || m.Topic != "jobs" || m.MessageID != first.ID || m.Time.IsZero() || m.Headers["region"] != "eu" ||
		m.DataContentType != "application/json" || m.Attempt != 1 || m.Tag == "" || !strings.Contains(string(r.Body), `"data":{"html":"<b>"}`) {
		t.Errorf("got %s", r.Body)
	}
	if m := pull(t, s, "q", `{"max":10}`, 1)[0]; string(m.Data) != `"text"` {
		t.Errorf("got %s", m.Data)
	}
	waitQueue(t, s, "q", 0, 2, 0)
}

func TestPullWaitsForTheFirstMessage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}, "filter": "data > 1"})
	start := time.Now()
	pull(t, s, "q", `{"max":10,"wait":"300ms"}`, 0)
	if waited := time.Since(start); waited < 300*time.Millisecond {
		t.Errorf("answered after %s, want the wait", waited)
	}
	got := make(chan harness.Response, 1)
	go func() { got <- pullRaw(t, s, "q", `{"max":10,"wait":"15s"}`) }()
	waitMembers(t, s, 1)
	s.Publish(t, "jobs", `1`) // does not match
	s.Publish(t, "jobs", `2`)
	if r := msgqtest.Receive(t, got, "answer"); !strings.Contains(string(r.Body), `"data":2`) || strings.Contains(string(r.Body), `"data":1`) {
		t.Errorf("got %s", r.Body)
	}
}

func TestStoppedServiceEndsPullsAtOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	got := make(chan harness.Response, 1)
	go func() { got <- pullRaw(t, s, "q", `{"wait":"5m"}`) }()
	waitMembers(t, s, 1)
	s.StopSubscribe() // fails the test if it takes its time
	if r := msgqtest.Receive(t, got, "answer"); r.Status != http.StatusOK || strings.TrimSpace(string(r.Body)) != `{"messages":[]}` {
		t.Errorf("%d %s, want an empty list", r.Status, r.Body)
	}
	s.StartSubscribe(t)
	s.WaitReady(t)
	s.Publish(t, "jobs", `1`)
	if m := pull(t, s, "q", `{"wait":"10s"}`, 1)[0]; m.Attempt != 1 {
		t.Errorf("attempt %d: the pull that was ended took the message", m.Attempt)
	}
}

func TestPullOfAClientThatLeftLosesNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}, "ack_wait": "12h"})
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, queueURL(s, "q")+"/pull", strings.NewReader(`{"wait":"15s"}`))
			res, err := s.Client.Do(req)
			if err == nil {
				res.Body.Close()
			}
			ended <- err
		}()
		waitMembers(t, s, 1)
		cancel()
		if err := msgqtest.Receive(t, ended, "end of the request"); err == nil {
			t.Error("the request was answered")
		}
		waitMembers(t, s, 0)
	}
	s.Publish(t, "jobs", `1`)
	pull(t, s, "q", `{"wait":"10s"}`, 1)
}

func TestLargeMessagesMakeShortPulls(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	large := `"` + strings.Repeat("x", 200_000) + `"`
	for range 30 {
		s.Publish(t, "jobs", large)
	}
	pull(t, s, "q", `{"max":1000}`, 20) // in 4 MiB
	pull(t, s, "q", `{"max":3}`, 3)
}
