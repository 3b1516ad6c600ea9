package contract_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestSeekStartsAQueueOver(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}})
	var sent []harness.Receipt
	for i := range 3 {
		sent = append(sent, s.Publish(t, "jobs", fmt.Sprint(i)))
	}
	settleTags(t, s, "ack", "q", nil, []string{pull(t, s, "q", `{"wait":"10s"}`, 1)[0].Tag}, 200)
	for from, want := range map[string][]harness.Receipt{
		`"all"`: sent, `{"last":1}`: sent[2:], fmt.Sprintf(`{"after":%d}`, sent[0].Seq): sent[1:], `"new"`: nil, `{"time":"2020-01-01T00:00:00Z"}`: sent,
	} {
		r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/seek", `{"from":`+from+`}`)
		var info queueInfo
		r.JSON(t, &info)
		if r.Status != http.StatusOK || info.Name != "q" || info.Ready != len(want) || info.InFlight != 0 {
			t.Fatalf("%s: %d %s, want %d ready", from, r.Status, r.Body, len(want))
		}
		for i, m := range pull(t, s, "q", `{"max":10}`, len(want)) {
			if m.Seq != want[i].Seq || m.Attempt != 1 {
				t.Errorf("%s: seq %d, attempt %d, want %d, 1", from, m.Seq, m.Attempt, want[i].Seq)
			}
		}
	}
}

func TestQueueThatStartsAheadPassesOverWhatComesBefore(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	first := s.Publish(t, "jobs", `"old"`)
	createQueue(t, s, "new", object{"topics": []string{"jobs"}, "from": object{"after": first.Seq + 2}})
	createQueue(t, s, "sought", object{"topics": []string{"jobs"}})
	if r := s.Do(t, http.MethodPost, queueURL(s, "sought")+"/seek", fmt.Sprintf(`{"from":{"after":%d}}`, first.Seq+2)); r.Status != http.StatusOK {
		t.Fatalf("seek: %d %s", r.Status, r.Body)
	}
	putQueue(t, s, "new", object{"topics": []string{"jobs"}, "max_attempts": 7}) // keeps its start
	at := time.Now().Add(2 * time.Second)
	createQueue(t, s, "later", object{"topics": []string{"jobs"}, "from": object{"time": at.Format(time.RFC3339Nano)}})
	var last harness.Receipt
	for range 3 {
		last = s.Publish(t, "jobs", `"early or not"`)
	}
	ws := s.Dial(t, nil)
	for _, name := range []string{"new", "sought"} {
		subscribe(t, ws, name, object{"queue": name})
		delivery(t, ws, name, last, 1)
	}
	msgqtest.Eventually(t, "the time has come", func() bool { return time.Now().After(at) })
	due := s.Publish(t, "jobs", `"late"`)
	if got := pull(t, s, "later", `{"max":10,"wait":"10s"}`, 1)[0]; got.Seq != due.Seq {
		t.Errorf("seq %d, want %d, the first one after the start", got.Seq, due.Seq)
	}
}
