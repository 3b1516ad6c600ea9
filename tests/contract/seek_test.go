package contract_test

import (
	"fmt"
	"net/http"
	"testing"

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

func TestSeekStartsWebSocketMembersOver(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"jobs"}, "ack_wait": "1h"})
	sent := []harness.Receipt{s.Publish(t, "jobs", "0"), s.Publish(t, "jobs", "1")}
	ws := s.Dial(t, nil)
	subscribe(t, ws, "w", object{"queue": "q", "credit": 2})
	old := []string{delivery(t, ws, "w", sent[0], 1).Tag, delivery(t, ws, "w", sent[1], 1).Tag}
	if r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/seek", `{"from":"all"}`); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	again := []string{delivery(t, ws, "w", sent[0], 1).Tag, delivery(t, ws, "w", sent[1], 1).Tag}
	for _, tag := range old {
		ws.Send(object{"type": "ack", "id": "w", "tags": []string{tag}, "ref": 1})
		if f := ws.WaitRef("1"); f.Code != "unknown_tag" {
			t.Errorf("a tag of before the seek: %s", f.Raw)
		}
	}
	settle(t, ws, "ack", "w", nil, again...)
	waitQueue(t, s, "q", 0, 0, 0)
}
