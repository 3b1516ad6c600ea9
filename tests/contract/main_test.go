// Package contract_test asks the services, from outside, for what the contract
// promises to users and clients.
package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestMain(m *testing.M) {
	w, err := newWitness()
	if err != nil {
		fmt.Fprintln(os.Stderr, "asyncapi.yaml:", err)
		os.Exit(1)
	}
	seen = w
	harness.CheckFrame, harness.CheckClose = w.frame, w.close
	msgqtest.VerifyTestMain(w.after(m))
}

// object is what a client sends.
type object = map[string]any

type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	RequestID                 string `json:"request_id"`
}

// internal is what only our side has to know: addresses, paths, stacks, the broker's words.
var internal = regexp.MustCompile(`(?i)nats:|jetstream|nats\.go|goroutine|panic|\.go\b|/(?:home|tmp|usr|go)/|github\.com|code=|127\.0\.0\.1|EVENTS|%!|json: |Go struct|Go value`)

// checkProblem wants problem details with all their fields and nothing internal.
func checkProblem(t *testing.T, r harness.Response, status int, code string) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("content type %q, want application/problem+json: %s", got, r.Body)
	}
	var p problem
	r.JSON(t, &p)
	if p.Status != status || p.Code != code {
		t.Errorf("status %d, code %q in the body, want %d and %q", p.Status, p.Code, status, code)
	}
	if p.Type == "" || p.Title == "" || p.Detail == "" || p.RequestID == "" {
		t.Errorf("type, title, detail and request_id must be there: %s", r.Body)
	}
	if p.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("request_id %q, the header has %q", p.RequestID, r.Header.Get("X-Request-Id"))
	}
	if found := internal.FindString(string(r.Body)); found != "" {
		t.Errorf("the answer shows %q: %s", found, r.Body)
	}
	if retry := r.Header.Get("Retry-After"); (status == http.StatusServiceUnavailable) != (retry != "") {
		t.Errorf("status %d has Retry-After %q", status, retry)
	}
}

// checkError wants an error frame that repeats the ref and shows nothing internal.
func checkError(t *testing.T, f harness.Frame, code, ref string) {
	t.Helper()
	if f.Type != "error" || f.Code != code || string(f.Ref) != ref {
		t.Errorf("got %s, want an error %q with ref %s", f.Raw, code, ref)
	}
	if f.Message == "" || f.Retryable {
		t.Errorf("message must be there, retryable must be false: %s", f.Raw)
	}
	if found := internal.FindString(f.Raw); found != "" {
		t.Errorf("the error shows %q: %s", found, f.Raw)
	}
}

// subscribe begins a subscription and returns the answer.
func subscribe(t *testing.T, ws *harness.Socket, id string, fields object) harness.Frame {
	t.Helper()
	o := object{"type": "subscribe", "id": id, "ref": id}
	maps.Copy(o, fields)
	ws.Send(o)
	f := ws.Next()
	if f.Type != "subscribed" || f.ID != id || string(f.Ref) != quote(id) || f.Epoch == "" || f.Recovered == nil {
		t.Fatalf("subscribed with %s, want id and ref %q, an epoch and recovered", f.Raw, id)
	}
	return f
}

// message waits for the next object, which has to be this message of this subscription.
func message(t *testing.T, ws *harness.Socket, id string, sent harness.Receipt) harness.Frame {
	t.Helper()
	f := ws.Next()
	if f.Type != "message" || f.ID != id || f.Seq != sent.Seq || f.Topic != sent.Topic || f.MessageID != sent.ID || f.Time.IsZero() {
		t.Fatalf("got %s, want for %q the message %+v", f.Raw, id, sent)
	}
	return f
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
