package contract_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestBodiesThatBreakOffAreTheClientsFault(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for _, line := range []string{
		"PUT /v1/queues/q", "POST /v1/queues/q/pull", "POST /v1/queues/q/ack", "POST /v1/filters/check", "POST /v1/topics/a/messages",
	} {
		for name, rest := range map[string]string{
			"too short":       "Content-Length: 10\r\n\r\n{",
			"a chunk is none": "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
			"no last chunk":   "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		} {
			t.Run(line+", "+name, func(t *testing.T) {
				r := rawExchange(t, s.SubscribeURL, line+" HTTP/1.1\r\nHost: x\r\n"+rest, true)
				checkProblem(t, r, http.StatusBadRequest, "invalid_request")
			})
		}
	}
}

// As nc -N does.
func TestClientThatSendsNoMoreGetsItsAnswerHereToo(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	s.Publish(t, "a", `1`)
	for _, test := range []struct {
		line, body string
		status     int
	}{
		{"PUT /v1/queues/q", `{"topics":["a"]}`, http.StatusCreated},
		{"GET /v1/queues/q", "", http.StatusOK},
		{"GET /v1/queues", "", http.StatusOK},
		{"POST /v1/queues/q/pull", `{"wait":"1m"}`, http.StatusOK}, // it ends the wait
		{"POST /v1/queues/q/seek", `{"from":"all"}`, http.StatusOK},
		{"POST /v1/queues/q/ack", `{"tags":["x"]}`, http.StatusOK},
		{"DELETE /v1/queues/q", "", http.StatusNoContent},
		{"GET /v1/topics", "", http.StatusOK},
		{"GET /v1/topics/a/messages", "", http.StatusOK},
		{"DELETE /v1/messages/1", "", http.StatusNoContent},
		{"POST /v1/topics/a/messages", "1", http.StatusCreated},
	} {
		text := fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", test.line, len(test.body), test.body)
		if r := rawExchange(t, s.SubscribeURL, text, true); r.Status != test.status {
			t.Errorf("%s: %d %s", test.line, r.Status, r.Body)
		}
	}
}
