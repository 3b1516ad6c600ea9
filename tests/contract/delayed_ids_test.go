package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

const (
	delayShort = "Msgq-Delay: 1s"
	delayLong  = "Msgq-Delay: 1h"
)

// published is an answer as one line: the status, or the problem's code, with what the answer says.
type published struct {
	Seq       uint64
	DeliverAt time.Time `json:"deliver_at"`
	Duplicate bool
	Code      string
	status    int
}

func postID(t *testing.T, s *harness.Stack, data string, headers ...string) (p published) {
	t.Helper()
	r := post(t, s, "a", data, append(headers, "Idempotency-Key: one")...)
	r.JSON(t, &p)
	p.status = r.Status
	return p
}

func cancelOne(t *testing.T, s *harness.Stack) {
	t.Helper()
	if r := s.Do(t, http.MethodDelete, s.PublishURL+"/v1/delayed/a/one", ""); r.Status != http.StatusNoContent {
		t.Fatalf("cancel: %d %s", r.Status, r.Body)
	}
}

// wantDuplicate wants the first one's place, and other data refused.
func wantDuplicate(t *testing.T, s *harness.Stack, first published, data string, headers ...string) {
	t.Helper()
	again := postID(t, s, data, headers...)
	if again.status != http.StatusOK || !again.Duplicate || again.Seq != first.Seq || !again.DeliverAt.Equal(first.DeliverAt) {
		t.Errorf("again with %q: %+v, want 200 and seq and time of %+v", headers, again, first)
	}
	if other := postID(t, s, data+"0", headers...); other.status != http.StatusUnprocessableEntity || other.Code != "id_reused" {
		t.Errorf("other data with %q: %+v, want 422 id_reused", headers, other)
	}
}

func wantFresh(t *testing.T, p published) published {
	t.Helper()
	if p.status != http.StatusCreated || p.Duplicate {
		t.Fatalf("got %+v, want 201", p)
	}
	return p
}

// onTopic waits until n messages are stored on the topic, and wants no more to come when another one is.
func onTopic(t *testing.T, s *harness.Stack, n int) {
	t.Helper()
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"a"}, "from": "all"})
	for range n {
		ws.WaitType("message")
	}
	s.Publish(t, "a", `"last"`)
	if f := ws.WaitType("message"); string(f.Data) != `"last"` {
		t.Errorf("got %s, want no more than %d", f.Raw, n)
	}
}

func TestOneIDIsOneMessageWhetherDelayedOrNot(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][]string{"at once": nil, "delayed": {delayLong}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, harness.Options{})
			stored := wantFresh(t, postID(t, s, "1", first...))
			wantDuplicate(t, s, stored, "1")
			wantDuplicate(t, s, stored, "1", delayLong)
			wantDuplicate(t, s, stored, "1", "Msgq-Delay: 2h", "Msgq-TTL: 10s")
			if n := len(delayed(t, s, "").Messages); n != len(first) {
				t.Errorf("%d messages wait, want %d", n, len(first))
			}
			onTopic(t, s, 1-len(first))
		})
	}
}

func TestDelayedMessageKeepsItsIDWhenItWasDue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"a"}})
	first := wantFresh(t, postID(t, s, "1", delayShort))
	ws.WaitType("message")
	wantDuplicate(t, s, first, "1", delayShort)
	wantDuplicate(t, s, first, "1")
	onTopic(t, s, 1)
}

// Neither may it be stored again, for its publisher may repeat a publish that somebody cancelled, nor may it seem to be.
func TestIDOfACancelledMessageIsTakenForTheDuplicateWindow(t *testing.T) {
	t.Parallel()
	for name, again := range map[string][]string{"at once": nil, "delayed": {"Msgq-Delay: 2h"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			window := []string{"--duplicate-window=4s"}
			s := harness.Start(t, harness.Options{PublishFlags: window, SubscribeFlags: window})
			wantFresh(t, postID(t, s, "1", delayLong))
			cancelOne(t, s)
			if p := postID(t, s, "1", again...); p.status != http.StatusUnprocessableEntity || p.Code != "id_reused" {
				t.Errorf("again: %+v, want 422 id_reused", p)
			}
			if n := len(delayed(t, s, "").Messages); n != 0 {
				t.Errorf("%d messages wait", n)
			}
			var last published
			msgqtest.Eventually(t, "the id is free", func() bool {
				last = postID(t, s, "2", again...)
				return last.status == http.StatusCreated
			})
			wantDuplicate(t, s, last, "2", again...)
		})
	}
}

func TestDelayedMessageThatWaitsLongerThanIDsAreRememberedKeepsItsID(t *testing.T) {
	t.Parallel()
	window := []string{"--duplicate-window=1s"}
	s := harness.Start(t, harness.Options{PublishFlags: window, SubscribeFlags: window})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"a"}})
	first := wantFresh(t, postID(t, s, "1", "Msgq-Delay: 3s"))
	msgqtest.Eventually(t, "the window is over", func() bool { return time.Until(first.DeliverAt) < 1500*time.Millisecond })
	wantDuplicate(t, s, first, "1", "Msgq-Delay: 3s")
	if f := ws.WaitType("message"); f.MessageID != "one" {
		t.Errorf("got %s", f.Raw)
	}
}

func TestBatchesShareIDsOfDelayedMessages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	item := func(id, data, more string) string {
		return fmt.Sprintf(`{"topic":"a","id":%q,"data":%s%s}`+"\n", id, data, more)
	}
	later := `,"delay":"1h"`
	body := item("x", "1", "") + item("x", "1", later) + item("x", "2", later) +
		item("y", "1", later) + item("y", "1", "") + item("y", "2", "") + item("z", "1", "")
	got := resultsOf(t, postBatch(t, s, "", body, ndjson))
	if codes(got) != "201 200 id_reused 201 200 id_reused 201" || got[1].Seq != got[0].Seq || !got[4].DeliverAt.Equal(got[3].DeliverAt) {
		t.Errorf("got %s: %+v", codes(got), got)
	}
	atomic := postBatch(t, s, "?atomic=true", item("y", "1", "")+item("w", "1", ""), ndjson)
	if got := resultsOf(t, atomic); atomic.Status != http.StatusCreated || codes(got) != "200 201" || got[0].DeliverAt.IsZero() {
		t.Errorf("atomic: %d %s", atomic.Status, atomic.Body)
	}
	other := postBatch(t, s, "?atomic=true", item("v", "1", "")+item("y", "2", ""), ndjson)
	checkProblem(t, other, http.StatusUnprocessableEntity, "id_reused")
	if !strings.Contains(string(other.Body), "Message 2") {
		t.Errorf("%s, want the number of the message", other.Body)
	}
}
