package contract_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestTwoInstancesShareAQueue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	first := s.Dial(t, nil)
	subscribe(t, first, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 5, "backoff": "1h"})
	stopFirst := s.StopSubscribe
	s.StartSubscribe(t)
	s.WaitReady(t)
	second := s.Dial(t, nil)
	subscribe(t, second, "q", object{"queue": "q", "credit": 5})
	sent := map[uint64]harness.Receipt{}
	for i := range 10 {
		m := s.Publish(t, "jobs", fmt.Sprint(i))
		sent[m.Seq] = m
	}
	held := map[uint64]bool{}
	for range 5 {
		held[first.WaitType("message").Seq] = true
	}
	waitMembers(t, s, 2) // the one at the first instance is busy, and a member all the same
	for range 5 {
		f := second.WaitType("message")
		if held[f.Seq] || f.Attempt != 1 {
			t.Fatalf("got %s, want one that the other has not", f.Raw)
		}
		settle(t, second, "ack", "q", nil, f.Tag)
	}
	stopFirst() // what its client holds goes to the other instance's at once
	for range 5 {
		f := second.WaitType("message")
		if !held[f.Seq] || f.Attempt != 2 || f.MessageID != sent[f.Seq].ID {
			t.Fatalf("got %s, want the second attempt at one of %v", f.Raw, held)
		}
		delete(held, f.Seq)
		settle(t, second, "ack", "q", nil, f.Tag)
	}
	waitQueue(t, s, "q", 0, 0, 0)
	waitMembers(t, s, 1)
}

func TestMemberAtAnotherInstanceIsToldThatItsQueueWasDeleted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	s.StartSubscribe(t)
	s.WaitReady(t)
	if r := s.Do(t, http.MethodDelete, queueURL(s, "q"), ""); r.Status != http.StatusNoContent {
		t.Fatalf("delete: %d %s", r.Status, r.Body)
	}
	if f := ws.Next(); f.Type != "unsubscribed" || f.ID != "q" || f.Code != "unknown_id" {
		t.Errorf("got %s, want unsubscribed", f.Raw)
	}
}

func TestChangedSettingsHoldForMembersThatAreThere(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "backoff": "1h"})
	s.StartSubscribe(t) // changed through an instance that has no members
	s.WaitReady(t)
	changeQueue(t, s, object{"max_attempts": 1, "backoff": "1h"})
	msgqtest.Eventually(t, "a message with one attempt alone", func() bool {
		settle(t, ws, "nack", "q", nil, delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1).Tag)
		return getCounts(t, s).Dead == 1
	})
}
