package contract_test

import (
	"net/http"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// Without what is malformed they would ask for more than was meant.
func TestMalformedQueryIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	s.Publish(t, "a", `1`)
	for _, test := range []struct{ method, url string }{
		{"POST", s.PublishURL + "/v1/messages?atomic=true;"},
		{"GET", s.PublishURL + "/v1/delayed?topic=%zz"},
		{"GET", s.SubscribeURL + "/v1/topics/a/messages?filter=data%20%%202==0"},
		{"GET", s.SubscribeURL + "/v1/events?topics=a&filter=id==';'"},
		{"GET", s.SubscribeURL + "/v1/queues?limit=%"},
	} {
		checkProblem(t, s.Do(t, test.method, test.url, `[{"topic":"a","data":2}]`, jsonArray), http.StatusBadRequest, "invalid_request")
	}
	if r := s.Publish(t, "a", `3`); r.Seq != 2 {
		t.Errorf("seq %d, want 2: nothing refused may be stored", r.Seq)
	}
}
