package contract_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// publishLimit is how soon a publish must be answered.
const publishLimit = 5 * time.Second

func TestServicesAreHonestWhileTheBrokerIsAwayAndWellWhenItIsBack(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "live", object{"topics": []string{"a"}})
	subscribe(t, ws, "queue", object{"topics": []string{"b"}, "queue": "q"})
	message(t, ws, "live", s.Publish(t, "a", `1`))
	delivered := delivery(t, ws, "queue", s.Publish(t, "b", `1`), 1)
	settle(t, ws, "ack", "queue", nil, delivered.Tag)

	for range 2 { // it is well again more than once
		s.Broker.Stop()
		for range 3 {
			start := time.Now()
			r := post(t, s, "a", `2`, "Content-Type: application/json", "Idempotency-Key: in-the-outage")
			checkProblem(t, r, http.StatusServiceUnavailable, "broker_unavailable")
			if took := time.Since(start); took > publishLimit {
				t.Errorf("answered after %s, want %s", took, publishLimit)
			}
		}
		for _, base := range []string{s.PublishURL, s.SubscribeURL} {
			checkProblem(t, s.Do(t, http.MethodGet, base+"/readyz", ""), http.StatusServiceUnavailable, "broker_unavailable")
			if r := s.Do(t, http.MethodGet, base+"/healthz", ""); r.Status != http.StatusOK {
				t.Errorf("%s/healthz: %d, want 200: the process lives", base, r.Status)
			}
		}
		checkProblem(t, s.Do(t, http.MethodGet, queueURL(s, "q"), ""), http.StatusServiceUnavailable, "broker_unavailable")
		ws.Send(object{"type": "subscribe", "id": "new", "topics": []string{"c"}, "queue": "new", "ref": 1})
		if f := ws.Next(); f.Code != "broker_unavailable" || !f.Retryable || string(f.Ref) != "1" || internal.MatchString(f.Raw) {
			t.Errorf("got %s, want a retryable broker_unavailable", f.Raw)
		}
		s.Broker.Start()
		s.WaitReady(t)
		message(t, ws, "live", s.Publish(t, "a", `3`))
		message(t, ws, "live", s.Publish(t, "a", `4`))
		next := delivery(t, ws, "queue", s.Publish(t, "b", `2`), 1)
		settle(t, ws, "ack", "queue", nil, next.Tag)
	}
	message(t, ws, "live", s.Publish(t, "a", `2`, "Idempotency-Key: in-the-outage")) // what was refused was not stored later
}

func TestAckInAnOutageIsNotConfirmedAndTheMessageComesAgain(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"a"}, "queue": "q", "ack_wait": "2s"})
	sent := s.Publish(t, "a", `1`)
	first := delivery(t, ws, "q", sent, 1)
	s.Broker.Stop()
	ws.Send(object{"type": "ack", "id": "q", "tags": []string{first.Tag}, "ref": 1})
	if f := ws.Next(); f.Type != "error" || string(f.Ref) != "1" || internal.MatchString(f.Raw) {
		t.Errorf("got %s, want an error: the broker does not have it", f.Raw)
	}
	s.Broker.Start()
	s.WaitReady(t)
	again := ws.Next()
	if again.Type != "message" || again.Seq != sent.Seq || again.Attempt < 2 {
		t.Fatalf("got %s, want the message again", again.Raw)
	}
	settle(t, ws, "ack", "q", nil, again.Tag)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestServiceThatStartsBeforeTheBrokerIsReadyWhenItComes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	s.StopSubscribe()
	s.Broker.Stop()
	s.StartSubscribe(t)
	checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/readyz", ""), http.StatusServiceUnavailable, "broker_unavailable")
	s.Broker.Start()
	s.WaitReady(t)
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"a"}})
	message(t, ws, "s", s.Publish(t, "a", `1`))
}

func TestPushedQueueGoesOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url}})
	s.Publish(t, "a", `1`)
	msgqtest.Receive(t, calls, "call before the outage")
	s.Broker.Stop()
	s.Broker.Start()
	s.WaitReady(t)
	sent := s.Publish(t, "a", `2`)
	if c := msgqtest.Receive(t, calls, "call after the outage"); c.header.Get("Webhook-Id") != sent.ID {
		t.Errorf("got %+v, want message %s", c, sent.ID)
	}
	waitQueue(t, s, "q", 0, 0, 0)
}
