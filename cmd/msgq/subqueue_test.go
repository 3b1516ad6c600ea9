package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestSubOfAQueueTakesNoMoreThanItPrints(t *testing.T) {
	s := start(t)
	url := s.SubscribeURL + "/v1/queues/q"
	if r := s.Do(t, http.MethodPut, url, `{"topics":["jobs"],"max_attempts":2}`); r.Status != http.StatusCreated {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for range 20 {
		s.Publish(t, "jobs", `{"type":"ok"}`)
	}
	next := uint64(0)
	for _, n := range []string{"1", "1", "1", "1", "5", "2"} {
		r := command(t, "", "sub", "--queue", "q", "-n", n) // topics left out: it joins
		for _, m := range messages(t, r.out) {
			next++
			if m.Seq != next || !strings.Contains(r.out, `"attempt":1`) {
				t.Fatalf("%+v, want event %d", r, next)
			}
		}
	}
	var q struct{ Ready, Delivered, Acknowledged int }
	msgqtest.Eventually(t, "11 are acknowledged, and no more were taken", func() bool {
		s.Do(t, http.MethodGet, url, "").JSON(t, &q)
		return q.Ready == 9 && q.Delivered == 11 && q.Acknowledged == 11
	})
	if r := command(t, "", "sub", "--queue", "none"); r.code != exitFailed || !strings.Contains(r.err, `"none" does not exist`) {
		t.Errorf("a queue that is not there, and no topics: %+v", r)
	}
}

func TestSubEndsWithTheReasonWhenItsQueueIsDeleted(t *testing.T) {
	s := start(t)
	url := s.SubscribeURL + "/v1/queues/q"
	ended := make(chan result, 1)
	go func() { ended <- command(t, "", "sub", "jobs", "--queue", "q") }()
	msgqtest.Eventually(t, "it is a member", func() bool {
		var q struct{ Members int }
		r := s.Do(t, http.MethodGet, url, "")
		if r.Status == http.StatusOK {
			r.JSON(t, &q)
		}
		return q.Members == 1
	})
	if r := s.Do(t, http.MethodDelete, url, ""); r.Status != http.StatusNoContent {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := msgqtest.Receive(t, ended, "its end"); r.code != exitFailed || !strings.Contains(r.err, "the queue was deleted") {
		t.Errorf("%+v", r)
	}
}
