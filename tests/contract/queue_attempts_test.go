package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestDeliveryLostWithItsConnectionCounts(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sub := object{"topics": []string{"jobs"}, "queue": "q", "max_attempts": 2, "backoff": "1h"}
	var sent harness.Receipt
	for attempt := 1; attempt <= 2; attempt++ {
		ws := s.Dial(t, nil)
		subscribe(t, ws, "q", sub)
		if attempt == 1 {
			sent = s.Publish(t, "jobs", `1`)
		}
		delivery(t, ws, "q", sent, attempt)
		_ = ws.Conn.NetConn().Close()
	}
	ws := s.Dial(t, nil) // somebody has to see that it is over
	subscribe(t, ws, "q", sub)
	waitQueue(t, s, "q", 0, 0, 1)
	if d := deadLetters(t, s, "q", "").DeadLetters[0]; d.Seq != sent.Seq || d.Attempts != 2 || d.Reason == "" {
		t.Errorf("dead letter %+v, want 2 attempts and a reason", d)
	}
	delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1)
}

func TestSilentMemberUsesUpTheAttempts(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "ack_wait": "200ms", "max_attempts": 2, "credit": 1})
	sent := s.Publish(t, "jobs", `1`)
	delivery(t, ws, "q", sent, 1)
	delivery(t, ws, "q", sent, 2)
	waitQueue(t, s, "q", 0, 0, 1)
	if d := deadLetters(t, s, "q", "").DeadLetters[0]; d.Attempts != 2 || d.Reason == "" {
		t.Errorf("dead letter %+v, want 2 attempts and a reason", d)
	}
	delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1) // its credit is free again
}

func TestBackoffDoublesOrIsTakenAsListed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	for name, test := range map[string]struct {
		backoff any
		waits   []time.Duration
	}{
		"doubled": {"100ms", []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}},
		"list":    {[]string{"300ms", "0s", "200ms"}, []time.Duration{300 * time.Millisecond, 0, 200 * time.Millisecond}},
		"default": {nil, []time.Duration{time.Second}},
	} {
		subscribe(t, ws, name, object{"topics": []string{name}, "queue": name, "backoff": test.backoff})
		sent := s.Publish(t, name, `1`)
		d := delivery(t, ws, name, sent, 1)
		for i, wait := range test.waits {
			start := time.Now()
			settle(t, ws, "nack", name, nil, d.Tag)
			d = delivery(t, ws, name, sent, i+2)
			if waited := time.Since(start); waited < wait {
				t.Errorf("%s: attempt %d came after %s, want at least %s", name, i+2, waited, wait)
			}
		}
	}
}

func TestReasonOfTheLastAttemptIsKept(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "max_attempts": 2, "backoff": "0s"})
	long := strings.Repeat("ü", 2000)
	for _, test := range []struct{ kind, given, kept string }{
		{"nack", "busy", "busy"}, {"nack", "", "nack"}, {"reject", "", "rejected"}, {"reject", "two\r\nlines", "two  lines"}, {"reject", long, long[:1024]},
	} {
		fields := object{}
		if test.given != "" {
			fields["reason"] = test.given
		}
		sent := s.Publish(t, "jobs", `1`)
		d := delivery(t, ws, "q", sent, 1)
		if test.kind == "nack" {
			settle(t, ws, "nack", "q", object{"reason": "of another attempt"}, d.Tag)
			d = delivery(t, ws, "q", sent, 2)
		}
		settle(t, ws, test.kind, "q", fields, d.Tag)
		waitQueue(t, s, "q", 0, 0, 1)
		if got := deadLetters(t, s, "q", "").DeadLetters[0].Reason; got != test.kept {
			t.Errorf("%s with %.40q: kept is %.100q, want %.40q", test.kind, test.given, got, test.kept)
		}
		checkCount(t, clearing(t, s, "discard", "q", `{"all":true}`), 1)
	}
}
