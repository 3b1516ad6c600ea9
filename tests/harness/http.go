package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// Response is an answer, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. Headers are like "Content-Type: text/plain", Host among them.
func (s *Stack) Do(t testing.TB, method, url, body string, headers ...string) Response {
	t.Helper()
	return s.DoReader(t, method, url, strings.NewReader(body), headers...)
}

// DoReader is Do with a body whose length, unless it is a strings.Reader, the request does not tell.
func (s *Stack) DoReader(t testing.TB, method, url string, body io.Reader, headers ...string) Response {
	t.Helper()
	req, err := http.NewRequestWithContext(msgqtest.Context(t), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
		if name == "Host" { // the client takes it from here
			req.Host = value
		}
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: text}
}

// JSON reads the body into v.
func (r Response) JSON(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("status %d, body %q: %v", r.Status, r.Body, err)
	}
}

// Receipt is the answer to a publish.
type Receipt struct {
	ID        string
	Topic     string
	Seq       uint64
	Duplicate bool
}

// Publish stores one message, application/json unless a header says otherwise.
func (s *Stack) Publish(t testing.TB, topic, data string, headers ...string) Receipt {
	t.Helper()
	if !strings.Contains(strings.ToLower(strings.Join(headers, "\n")), "content-type: ") {
		headers = append(headers, "Content-Type: application/json")
	}
	r := s.Do(t, http.MethodPost, s.PublishURL+"/v1/topics/"+topic+"/messages", data, headers...)
	if r.Status != http.StatusCreated {
		t.Fatalf("publish to %s: %d %s", topic, r.Status, r.Body)
	}
	var receipt Receipt
	r.JSON(t, &receipt)
	return receipt
}

// PublishMany stores n messages {"n":i} in batches.
func (s *Stack) PublishMany(t testing.TB, n int, topic string) {
	t.Helper()
	var batch strings.Builder
	for i := range n {
		fmt.Fprintf(&batch, "{\"topic\":%q,\"data\":{\"n\":%d}}\n", topic, i)
	}
	r := s.Do(t, http.MethodPost, s.PublishURL+"/v1/messages", batch.String(), "Content-Type: application/x-ndjson")
	if r.Status != http.StatusOK || strings.Contains(string(r.Body), `"error"`) {
		t.Fatalf("publish %d messages: %d %.500s", n, r.Status, r.Body)
	}
}
