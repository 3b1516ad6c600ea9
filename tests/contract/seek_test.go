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
