package contract_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestNackBringsTheMessageAgainAfterItsDelay(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "backoff": []string{"300ms", "1h"}})
	sent := s.Publish(t, "jobs", `1`)
	d := delivery(t, ws, "q", sent, 1)
	start := time.Now()
	settle(t, ws, "nack", "q", nil, d.Tag)
	d = delivery(t, ws, "q", sent, 2)
	if waited := time.Since(start); waited < 300*time.Millisecond {
		t.Errorf("came again after %s, the queue's backoff says 300ms", waited)
	}
	start = time.Now()
	settle(t, ws, "nack", "q", object{"delay": "200ms", "reason": "busy"}, d.Tag)
	d = delivery(t, ws, "q", sent, 3)
	if waited := time.Since(start); waited < 200*time.Millisecond {
		t.Errorf("came again after %s, the nack said 200ms", waited)
	}
	settle(t, ws, "nack", "q", object{"delay": "0s"}, d.Tag)
	delivery(t, ws, "q", sent, 4)
}

func TestMessageIsDeadAfterItsLastAttempt(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "max_attempts": 3, "backoff": "10ms"})
	sent := s.Publish(t, "jobs", `1`)
	for attempt := 1; attempt <= 3; attempt++ {
		settle(t, ws, "nack", "q", nil, delivery(t, ws, "q", sent, attempt).Tag)
	}
	waitQueue(t, s, "q", 0, 0, 1)
	delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1) // and not the first a fourth time
}

func TestRejectedMessageIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	settle(t, ws, "reject", "q", object{"reason": "no such customer\r\nat all"}, d.Tag)
	waitQueue(t, s, "q", 0, 0, 1)
	delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1)
}

func TestRefusedNackLeavesTheDeliveryAsItWas(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	for _, delay := range []string{"-1s", "25h"} {
		ws.Send(object{"type": "nack", "id": "q", "tags": []string{d.Tag}, "delay": delay, "ref": 1})
		checkError(t, ws.Next(), "bad_request", "1")
	}
	settle(t, ws, "ack", "q", nil, d.Tag)
}

func TestAckWaitBringsTheMessageAgain(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "ack_wait": "300ms"})
	sent := s.Publish(t, "jobs", `1`)
	first := delivery(t, ws, "q", sent, 1)
	delivery(t, ws, "q", sent, 2)
	delivery(t, ws, "q", sent, 3) // the first is long over
	ws.Send(object{"type": "ack", "id": "q", "tags": []string{first.Tag}, "ref": 1})
	f := ws.Next()
	for f.Type == "message" { // a further attempt may be here already
		f = ws.Next()
	}
	checkError(t, f, "unknown_tag", "1")
}

func TestProgressStartsTheAckWaitOver(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "ack_wait": "2s"})
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for range 10 { // longer than the ack wait
		<-ticker.C
		settle(t, ws, "progress", "q", nil, d.Tag)
	}
	settle(t, ws, "ack", "q", nil, d.Tag)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestAcksSentJustBeforeTheCloseAreDone(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 100})
	const n = 100
	for i := range n {
		s.Publish(t, "jobs", fmt.Sprint(i))
	}
	for range n {
		ws.Send(object{"type": "ack", "id": "q", "tags": []string{ws.WaitType("message").Tag}})
	}
	if err := ws.Conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestSettlementWithoutRefIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	for _, kind := range []string{"progress", "ack", "nack", "reject"} {
		sent := s.Publish(t, "jobs", `1`)
		d := delivery(t, ws, "q", sent, 1)
		ws.Send(object{"type": kind, "id": "q", "tags": []string{d.Tag}, "delay": "1h"})
		ws.Send(object{"type": "credit", "id": "q", "credit": 16})
		ws.Send(object{"type": "ping", "ref": kind})
		if f := ws.Next(); f.Type != "pong" || string(f.Ref) != quote(kind) {
			t.Errorf("%s: got %s, want only the pong", kind, f.Raw)
		}
		if kind == "progress" {
			settle(t, ws, "ack", "q", nil, d.Tag)
		}
	}
	waitCounts(t, s, counts{WaitingRetry: 1, Dead: 1, Delivered: 4, Acknowledged: 2})
}

func TestManyTagsAreSettledTogether(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 1000})
	const n = 1000
	s.PublishMany(t, 3*n, "jobs")
	for _, kind := range []string{"ack", "nack", "reject"} {
		tags := make([]string, n)
		for i := range tags {
			tags[i] = ws.WaitType("message").Tag
		}
		settle(t, ws, kind, "q", object{"delay": "1h", "reason": "r"}, tags...)
	}
	waitCounts(t, s, counts{WaitingRetry: n, Dead: n, Delivered: 3 * n, Acknowledged: n})
}
