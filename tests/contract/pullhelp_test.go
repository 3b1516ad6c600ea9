package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func pullRaw(t *testing.T, s *harness.Stack, queue, body string) harness.Response {
	t.Helper()
	return s.Do(t, http.MethodPost, queueURL(s, queue)+"/pull", body)
}

func pullSome(t *testing.T, s *harness.Stack, queue, body string) []harness.Frame {
	t.Helper()
	r := pullRaw(t, s, queue, body)
	var answer struct{ Messages []harness.Frame }
	if r.Status != http.StatusOK {
		t.Fatalf("pull: %d %s", r.Status, r.Body)
	}
	r.JSON(t, &answer)
	if answer.Messages == nil {
		t.Fatalf("pulled %s, want a list", r.Body)
	}
	return answer.Messages
}

// pull wants so many messages.
func pull(t *testing.T, s *harness.Stack, queue, body string, want int) []harness.Frame {
	t.Helper()
	got := pullSome(t, s, queue, body)
	if len(got) != want {
		t.Fatalf("pulled %+v, want %d messages", got, want)
	}
	return got
}

type settleAnswer struct {
	Count   int
	Results []struct {
		Tag    string
		Status int
		Error  *problem
	}
}

// settleTags acks, nacks or rejects over HTTP, and wants this status of each tag.
func settleTags(t *testing.T, s *harness.Stack, act, queue string, fields object, tags []string, want ...int) {
	t.Helper()
	body := object{"tags": tags}
	maps.Copy(body, fields)
	text, _ := json.Marshal(body)
	r := s.Do(t, http.MethodPost, queueURL(s, queue)+"/"+act, string(text))
	var answer settleAnswer
	if r.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", act, r.Status, r.Body)
	}
	r.JSON(t, &answer)
	done := 0
	for i, result := range answer.Results {
		ok := want[i] == http.StatusOK
		if ok {
			done++
		}
		if result.Tag != tags[i] || result.Status != want[i] || (result.Error == nil) != ok || !ok && (result.Error.Code != "unknown_tag" || result.Error.Detail == "") {
			t.Errorf("%s: tag %d: %s, want status %d", act, i, r.Body, want[i])
		}
	}
	if len(answer.Results) != len(tags) || answer.Count != done {
		t.Errorf("%s: %s, want %d results and count %d", act, r.Body, len(tags), done)
	}
}

// waitMembers waits until q has so many members and waiting pulls.
func waitMembers(t *testing.T, s *harness.Stack, n int) {
	t.Helper()
	msgqtest.Eventually(t, fmt.Sprintf("%d members", n), func() bool {
		var q struct{ Members int }
		s.Do(t, http.MethodGet, queueURL(s, "q"), "").JSON(t, &q)
		return q.Members == n
	})
}
