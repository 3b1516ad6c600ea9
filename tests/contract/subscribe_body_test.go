package contract_test

import (
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
