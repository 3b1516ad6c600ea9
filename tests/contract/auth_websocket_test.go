package contract_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func TestSocketBringsItsTokenInTheHandshakeOrFirst(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	token := harness.Token(t, object{"subscribe": []string{"a.>"}, "queues": []string{"q"}}, time.Hour)

	ws := s.Dial(t, bearer(token)) // waits for the welcome
	subscribe(t, ws, "s", object{"topics": []string{"a.*"}})
	subscribe(t, ws, "q", object{"topics": []string{"a.b"}, "queue": "q"})

	late := s.DialSilent(t)
	late.Send(object{"type": "subscribe", "id": "s", "topics": []string{"a.b"}, "ref": 1})
	if f := late.Next(); f.Type != "error" || f.Code != "unauthenticated" {
		t.Fatalf("before the token: %s", f.Raw)
	}
	late.Send(object{"type": "auth", "token": token, "ref": 2})
	if f := late.Next(); f.Type != "welcome" {
		t.Fatalf("after the token: %s, want the welcome", f.Raw)
	}
	if f := late.WaitRef("2"); f.Type != "ok" {
		t.Fatalf("the answer to the token: %s", f.Raw)
	}
	subscribe(t, late, "s", object{"topics": []string{"a.b"}})
	for _, refused := range []object{
		{"topics": []string{"a.b", "b"}}, {"topics": []string{">"}}, {"topics": []string{"a.b"}, "queue": "other"},
		{"topics": []string{"b"}, "queue": "q"},
	} {
		refused["type"], refused["id"], refused["ref"] = "subscribe", "x", 3
		late.Send(refused)
		// The last one exists with other topics: it could be joined, were these its own.
		want := "forbidden"
		if refused["queue"] == "q" {
			want = "queue_mismatch"
		}
		if f := late.WaitRef("3"); f.Code != want {
			t.Errorf("%v: %s, want %s", refused, f.Raw, want)
		}
	}
}

func TestHandshakeWithABadTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	expired := harness.Token(t, object{"subscribe": []string{">"}}, -time.Minute)
	checkProblem(t, s.DialRefused(t, bearer(expired)), http.StatusUnauthorized, "unauthenticated")
	useless := harness.Token(t, object{"publish": []string{">"}}, time.Hour)
	checkProblem(t, s.DialRefused(t, bearer(useless)), http.StatusForbidden, "forbidden")
}

func TestBadTokenInAFrameClosesTheConnection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	long := strings.Repeat("a", 200) + "..b" // is told, and does not fit a close
	for token, code := range map[string]int{
		"nonsense": 4401,
		harness.Token(t, object{"publish": []string{long}}, time.Hour): 4401,
		harness.Token(t, object{"publish": []string{">"}}, time.Hour):  4403,
	} {
		ws := s.DialSilent(t)
		ws.Send(object{"type": "auth", "token": token})
		if got := ws.CloseCode(); got != code {
			t.Errorf("close code %d, want %d", got, code)
		}
	}
}

func TestSocketWithoutATokenIsClosedWith4408(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	ws := s.DialSilent(t)
	start := time.Now()
	if code := ws.CloseCode(); code != 4408 {
		t.Errorf("close code %d, want 4408", code)
	}
	if took := time.Since(start); took < 9*time.Second {
		t.Errorf("closed after %s, want 10s", took)
	}
}

func TestSocketEndsWithItsTokenUnlessItIsRenewed(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	permissions := object{"subscribe": []string{"a", "b"}, "queues": []string{"q", "p"}}
	brief := harness.Token(t, permissions, 3*time.Second)
	ends, renewed := s.Dial(t, bearer(brief)), s.Dial(t, bearer(brief))
	subscribe(t, renewed, "a", object{"topics": []string{"a"}})
	subscribe(t, renewed, "b", object{"topics": []string{"b"}})
	subscribe(t, renewed, "q", object{"topics": []string{"a"}, "queue": "q"})
	subscribe(t, renewed, "p", object{"topics": []string{"a"}, "queue": "p"})
	renewed.Send(object{"type": "auth", "ref": 1, "token": harness.Token(t, object{"subscribe": []string{"a"}, "queues": []string{"q"}, "publish": []string{"a"}}, time.Hour)})
	gone := map[string]bool{}
	for range 2 { // the new token allows neither
		f := renewed.WaitType("unsubscribed")
		if f.Code != "forbidden" {
			t.Errorf("ended with %s", f.Raw)
		}
		gone[f.ID] = true
	}
	if !gone["b"] || !gone["p"] {
		t.Errorf("ended %v, want b and p", gone)
	}
	if code := ends.CloseCode(); code != 4401 { // so both have seen the first token's end
		t.Errorf("close code %d, want 4401", code)
	}
	sent := s.Publish(t, "a", "1", "Authorization: Bearer "+harness.Token(t, object{"publish": []string{"a"}}, time.Hour))
	for range 2 { // as a live message and as the queue's
		if f := renewed.WaitType("message"); f.Seq != sent.Seq {
			t.Errorf("got %s, want seq %d", f.Raw, sent.Seq)
		}
	}
}
