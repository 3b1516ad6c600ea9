package contract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// One request for each error of the contract's section 3. Those that a state of
// the service or the broker brings have tests of their own: rate_limited
// (TestCallerOverItsRate…), stream_full (TestFullStream…), broker_unavailable
// (TestServicesAreHonest…), overloaded (TestRequestsBeyondTheBudget… in httpapi).
func TestEveryErrorOfTheContract(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--max-body=1KiB"}})
	s.Publish(t, "a", `1`, "Idempotency-Key: taken")
	for _, test := range []struct {
		status             int
		code               string
		method, path, body string
		headers            string // separated by |
	}{
		{400, "invalid_topic", "POST", "/v1/topics/a.*/messages", `1`, ""},
		{400, "invalid_header", "POST", "/v1/topics/a/messages", `1`, "Msgq-Header-Nats-X: 1"},
		{400, "invalid_json", "POST", "/v1/topics/a/messages", `{`, jsonArray},
		{400, "invalid_id", "POST", "/v1/topics/a/messages", `1`, "Idempotency-Key: a b"},
		{400, "invalid_request", "POST", "/v1/messages?atomic=perhaps", `[]`, jsonArray},
		{403, "forbidden", "POST", "/v1/topics/a/messages", `1`, "Origin: https://evil.example"},
		{404, "not_found", "GET", "/v1/nothing", "", ""},
		{404, "not_found", "DELETE", "/v1/delayed/a/nothing", "", ""},
		{405, "method_not_allowed", "PUT", "/v1/topics/a/messages", `1`, ""},
		{413, "too_large", "POST", "/v1/topics/a/messages", strings.Repeat("x", 1025), ""},
		{415, "unsupported_encoding", "POST", "/v1/topics/a/messages", `1`, "Content-Encoding: br"},
		{422, "invalid_delay", "POST", "/v1/topics/a/messages", `1`, "Msgq-Delay: 1ms"},
		{422, "invalid_ttl", "POST", "/v1/topics/a/messages", `1`, "Msgq-TTL: soon"},
		{422, "id_reused", "POST", "/v1/topics/a/messages", `2`, jsonArray + "|Idempotency-Key: taken"},
	} {
		t.Run(test.code, func(t *testing.T) {
			var headers []string
			if test.headers != "" {
				headers = strings.Split(test.headers, "|")
			}
			checkProblem(t, s.Do(t, test.method, s.PublishURL+test.path, test.body, headers...), test.status, test.code)
		})
	}
	if r := s.Publish(t, "a", `1`); r.Seq != 2 {
		t.Errorf("seq %d, want 2: nothing refused may be stored", r.Seq)
	}
}

func TestHeadAndOptionsAreAnswered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	both := []string{"/healthz", "/readyz", "/metrics", "/openapi.yaml"}
	for base, paths := range map[string][]string{
		s.PublishURL:   append(both, "/v1/delayed"),
		s.SubscribeURL: append(both, "/asyncapi.yaml", "/v1/topics", "/v1/queues", "/v1/connections", "/", "/client/msgq.js"),
	} {
		for _, path := range paths {
			if r := s.Do(t, http.MethodHead, base+path, ""); r.Status != http.StatusOK || len(r.Body) != 0 {
				t.Errorf("HEAD %s%s: %d %q", base, path, r.Status, r.Body)
			}
		}
	}
	r := s.Do(t, http.MethodOptions, messagesURL(s, "a"), "")
	if r.Status != http.StatusNoContent || !strings.Contains(r.Header.Get("Allow"), http.MethodPost) {
		t.Errorf("OPTIONS: %d, Allow %q", r.Status, r.Header.Get("Allow"))
	}
}
