package contract_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

type delayedMessage struct {
	ID, Topic       string
	DeliverAt       time.Time `json:"deliver_at"`
	DataContentType string
	Headers         map[string]string
	Size            int
}

type delayedPage struct {
	Messages []delayedMessage
	Next     string
}

func delayed(t *testing.T, s *harness.Stack, query string) delayedPage {
	t.Helper()
	r := s.Do(t, http.MethodGet, s.PublishURL+"/v1/delayed"+query, "")
	if r.Status != http.StatusOK {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	var page delayedPage
	r.JSON(t, &page)
	return page
}

func TestDelayedMessageComesWhenItIsDue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	begin := time.Now()
	r := post(t, s, "a", `{"n":1}`, "Content-Type: application/json", "Msgq-Delay: 1s", "Msgq-Header-X: y", "Idempotency-Key: one")
	var answer map[string]any
	r.JSON(t, &answer)
	due, err := time.Parse(time.RFC3339, fmt.Sprint(answer["deliver_at"]))
	if r.Status != http.StatusCreated || err != nil || len(answer) != 4 || answer["id"] != "one" || answer["topic"] != "a" || answer["duplicate"] != false {
		t.Fatalf("status %d: %s, want id, topic, deliver_at and duplicate", r.Status, r.Body)
	}
	if wait := due.Sub(begin); wait < time.Second || wait > 3*time.Second {
		t.Errorf("due in %s, want 1s", wait)
	}
	again := post(t, s, "a", `{"n":1}`, "Content-Type: application/json", "Msgq-Delay: 1s", "Idempotency-Key: one")
	var same map[string]any
	again.JSON(t, &same)
	if again.Status != http.StatusOK || same["duplicate"] != true || same["deliver_at"] != answer["deliver_at"] {
		t.Errorf("again: status %d: %s, want the first one's deliver_at", again.Status, again.Body)
	}
	other := post(t, s, "a", `{"n":2}`, "Content-Type: application/json", "Msgq-Delay: 1s", "Idempotency-Key: one")
	checkProblem(t, other, http.StatusUnprocessableEntity, "id_reused")

	f := ws.WaitType("message")
	if time.Now().Before(due) {
		t.Errorf("came at %s, before it was due at %s", time.Now(), due)
	}
	if f.MessageID != "one" || string(f.Data) != `{"n":1}` || f.Headers["x"] != "y" {
		t.Errorf("got %s", f.Raw)
	}
}

func TestDelaysOutsideTheirLimitsAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	at := func(d time.Duration) string { return "Msgq-Deliver-At: " + time.Now().Add(d).Format(time.RFC3339Nano) }
	for name, headers := range map[string][]string{
		"negative": {"Msgq-Delay: -1s"}, "under a second": {"Msgq-Delay: 999ms"}, "over a year": {"Msgq-Delay: 8760h1s"}, "no unit": {"Msgq-Delay: 90"},
		"empty": {"Msgq-Delay: "}, "twice": {"Msgq-Delay: 1s", "Msgq-Delay: 2s"}, "no time": {"Msgq-Deliver-At: tomorrow"},
		"past": {at(-time.Second)}, "too far": {at(8761 * time.Hour)}, "both": {"Msgq-Delay: 1s", at(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, post(t, s, "a", "x", headers...), http.StatusUnprocessableEntity, "invalid_delay")
		})
	}
	lower := strings.ToLower(time.Now().UTC().Add(time.Hour).Format("2006-01-02T15:04:05.000Z"))
	for _, header := range []string{"Msgq-Delay: 8760h", at(time.Minute), "Msgq-Deliver-At: " + lower} {
		if r := post(t, s, "a", "x", header); r.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", header, r.Status, r.Body)
		}
	}
}

func TestDelayedMessagesAreListedAndCancelled(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	if page := delayed(t, s, ""); page.Messages == nil || len(page.Messages) != 0 {
		t.Errorf("nothing waits: %+v, want an empty list", page)
	}
	var ids []string
	for i, topic := range []string{"a.x", "b", "a.y", "a.z"} {
		ids = append(ids, fmt.Sprintf("%d/%%2F?#", i))
		s.Publish(t, topic, `"data"`, "Msgq-Delay: 1h", "Msgq-Header-N: "+fmt.Sprint(i), "Idempotency-Key: "+ids[i])
	}
	all := delayed(t, s, "").Messages
	if len(all) != 4 || all[1].ID != ids[1] || all[1].Topic != "b" || all[1].Size != 6 || all[1].Headers["n"] != "1" ||
		all[1].DataContentType != "application/json" || time.Until(all[1].DeliverAt) > time.Hour {
		t.Errorf("got %+v", all)
	}
	var paged []string
	for next := ""; ; {
		page := delayed(t, s, "?limit=2&topic=a.*&next="+next)
		for _, m := range page.Messages {
			paged = append(paged, m.ID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if want := []string{ids[0], ids[2], ids[3]}; !slices.Equal(paged, want) {
		t.Errorf("in pages %q, want %q", paged, want)
	}
	cancel := s.PublishURL + "/v1/delayed/a.y/" + url.PathEscape(ids[2])
	if r := s.Do(t, http.MethodDelete, cancel, ""); r.Status != http.StatusNoContent || len(r.Body) != 0 {
		t.Errorf("cancel: %d %s", r.Status, r.Body)
	}
	checkProblem(t, s.Do(t, http.MethodDelete, cancel, ""), http.StatusNotFound, "not_found")
	if left := delayed(t, s, "?topic=a.>").Messages; len(left) != 2 {
		t.Errorf("%d are left, want 2", len(left))
	}
	checkProblem(t, s.Do(t, http.MethodGet, s.PublishURL+"/v1/delayed?topic=a..b", ""), http.StatusBadRequest, "invalid_topic")
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "next=!"} {
		checkProblem(t, s.Do(t, http.MethodGet, s.PublishURL+"/v1/delayed?"+query, ""), http.StatusBadRequest, "invalid_request")
	}
	for path, code := range map[string]string{"a*/x": "invalid_topic", "%C3%A4/x": "invalid_topic", "a/": "invalid_id", "a/x%20y": "invalid_id"} {
		checkProblem(t, s.Do(t, http.MethodDelete, s.PublishURL+"/v1/delayed/"+path, ""), http.StatusBadRequest, code)
	}
	if r := s.Do(t, http.MethodDelete, s.PublishURL+"/v1/delayed/%62/"+url.PathEscape(ids[1]), ""); r.Status != http.StatusNoContent {
		t.Errorf("cancel on an escaped topic: %d %s", r.Status, r.Body)
	}
}
