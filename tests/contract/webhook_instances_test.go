package contract_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// startSecondPush starts another instance; the first is stopped by what is returned.
func startSecondPush(t *testing.T, s *harness.Stack) (stopFirst func()) {
	t.Helper()
	stopFirst = s.StopSubscribe
	s.StartSubscribe(t, "--push-private")
	s.WaitReady(t)
	return stopFirst
}

func TestTwoInstancesPushAQueueTogether(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	release := make(chan struct{})
	url, calls := receiver(t, func(http.ResponseWriter, int) { <-release })
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url, "concurrency": 2, "timeout": "1m"}})
	stopFirst := startSecondPush(t, s)
	const n = 20
	ids := map[string]bool{}
	for i := range n {
		ids[s.Publish(t, "a", fmt.Sprint(i)).ID] = true
	}
	next := func() {
		t.Helper()
		id := msgqtest.Receive(t, calls, "call").header.Get("Webhook-Id")
		if !ids[id] {
			t.Errorf("message %s came twice or was never published", id)
		}
		delete(ids, id)
	}
	for range 4 { // two at each
		next()
	}
	noCall(t, calls)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stopFirst() // waits for what it has out
	}()
	close(release)
	for range n - 4 {
		next()
	}
	msgqtest.Receive(t, stopped, "end of the first instance")
	waitQueue(t, s, "q", 0, 0, 0)
	noCall(t, calls)
}

func TestSecretChangedAtAnotherInstanceIsUsed(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url, "secret": webhookSecret}})
	first := s.SubscribeURL
	startSecondPush(t, s)
	changeQueue(t, s, object{"push": object{"url": url, "secret": otherWebhookSecret}})
	s.Publish(t, "a", `0`)
	msgqtest.Eventually(t, "both instances sign with the new secret", func() bool {
		s.Publish(t, "a", `1`)
		c := msgqtest.Receive(t, calls, "call")
		if !signedBy(t, c, webhookSecret) && !signedBy(t, c, otherWebhookSecret) {
			t.Fatalf("signed by neither secret: %v", c.header)
		}
		return signedBy(t, c, otherWebhookSecret)
	})
	s.SubscribeURL = first
	changeQueue(t, s, object{"push": object{"url": url, "secret": nil}})
	msgqtest.Eventually(t, "nothing is signed any more", func() bool {
		s.Publish(t, "a", `2`)
		return msgqtest.Receive(t, calls, "call").header.Get("Webhook-Signature") == ""
	})
}

func TestQueueWhoseSecretIsMissingIsNotPushed(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url, "secret": webhookSecret}})
	s.StopSubscribe()
	js := msgqtest.JetStream(t, s.Broker.URL)
	secrets, err := js.KeyValue(t.Context(), "EVENTS_SECRETS")
	if err == nil {
		var keys []string
		if keys, err = secrets.Keys(t.Context()); err == nil {
			err = secrets.Purge(t.Context(), keys[0])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.StartSubscribe(t, "--push-private")
	s.WaitReady(t)
	createQueue(t, s, "other", object{"topics": []string{"a"}, "push": object{"url": url + "/other"}})
	s.Publish(t, "a", `1`)
	if c := msgqtest.Receive(t, calls, "call of the other queue"); c.header.Get("Msgq-Queue") != "other" {
		t.Errorf("pushed without its secret: %v", c.header)
	}
	waitQueue(t, s, "q", 1, 0, 0)
	noCall(t, calls)
	changeQueue(t, s, object{"push": object{"url": url, "secret": otherWebhookSecret}})
	if c := msgqtest.Receive(t, calls, "call"); !signedBy(t, c, otherWebhookSecret) {
		t.Errorf("headers %v are not signed by the new secret", c.header)
	}
}
