package contract_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestCreditBoundsWhatIsUnacknowledged(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	var sent []harness.Receipt
	for i := range 20 {
		sent = append(sent, s.Publish(t, "jobs", fmt.Sprint(i)))
	}
	var tags []string
	for i := range 16 { // the default
		tags = append(tags, delivery(t, ws, "q", sent[i], 1).Tag)
	}
	waitQueue(t, s, "q", 4, 16, 0)
	if unique := slices.Compact(slices.Sorted(slices.Values(tags))); len(unique) != 16 {
		t.Errorf("tags %q, want each of its own", tags)
	}
	settle(t, ws, "ack", "q", nil, tags[:4]...)
	for i := 16; i < 20; i++ {
		tags = append(tags, delivery(t, ws, "q", sent[i], 1).Tag)
	}
	settle(t, ws, "ack", "q", nil, tags[4:]...)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestCreditZeroPauses(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 0})
	first, second := s.Publish(t, "jobs", `1`), s.Publish(t, "jobs", `2`)
	waitQueue(t, s, "q", 2, 0, 0)
	ws.Send(object{"type": "credit", "id": "q", "credit": 1, "ref": 1})
	if f := ws.Next(); f.Type != "ok" {
		t.Fatalf("got %s, want ok before any message", f.Raw)
	}
	tag := delivery(t, ws, "q", first, 1).Tag
	waitQueue(t, s, "q", 1, 1, 0)
	settle(t, ws, "ack", "q", nil, tag)
	delivery(t, ws, "q", second, 1)
}

func TestMessagesThatDoNotMatchTheFilterCostNoCredit(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 1, "filter": "data.n == 7"})
	for range 40 {
		s.Publish(t, "jobs", `{"n":1}`)
	}
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `{"n":7}`), 1)
	waitQueue(t, s, "q", 0, 1, 0)
	settle(t, ws, "ack", "q", nil, d.Tag)
	waitQueue(t, s, "q", 0, 0, 0)
}
