package contract_test

import (
	"slices"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestSubscribeAnswersAreAsTheOpenAPIDocumentSays(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil) // to be listed
	subscribe(t, ws, "l", object{"topics": []string{">"}, "filter": "data.n > 1"})
	subscribe(t, ws, "q", object{"topics": []string{">"}, "queue": "listed"})
	exchanges := []exchange{
		{400, "GET", "/v1/ws", "", ""},
		{400, "GET", "/v1/events?topics=a&filter=1", "", ""}, // TestEventsBeginWithThePositionAndFollow sees the events
		{201, "POST", "/v1/topics/a/messages", `{"n":1}`, jsonArray},
		{400, "POST", "/v1/topics/a..b/messages", `1`, jsonArray},
		{200, "GET", "/v1/topics", "", ""},
		{400, "GET", "/v1/topics?limit=0", "", ""},
		{200, "GET", "/v1/topics/a/messages?limit=1", "", ""},
		{400, "GET", "/v1/topics/a/messages?from=x", "", ""},
		{204, "DELETE", "/v1/messages/1", "", ""},
		{404, "DELETE", "/v1/messages/1", "", ""},
		{200, "POST", "/v1/filters/check", `{"filter":"data.n > 1","message":{"data":{"n":2}}}`, jsonArray},
		{200, "POST", "/v1/filters/check", `{"filter":"dta.n > 1"}`, jsonArray},
		{400, "POST", "/v1/filters/check", `{}{}`, jsonArray},
		{200, "POST", "/v1/epoch", "", ""},
		{200, "GET", "/v1/connections?limit=1", "", ""},
		{400, "GET", "/v1/connections?limit=x", "", ""},
		{404, "DELETE", "/v1/connections/none", "", ""},
		{200, "GET", "/", "", ""},
		{200, "GET", "/dashboard/style.css", "", ""},
		{404, "GET", "/dashboard/none", "", ""},
		{200, "GET", "/client/msgq.js", "", ""},
		{404, "GET", "/client/none", "", ""},
		{403, "GET", "/v1/queues", "", "Origin: https://evil.example.com"},
		{200, "GET", "/healthz", "", ""},
		{200, "GET", "/readyz", "", ""},
		{200, "GET", "/metrics", "", ""},
		{200, "GET", "/openapi.yaml", "", ""},
		{200, "GET", "/asyncapi.yaml", "", ""},
	}
	followDocument(t, s, s.SubscribeURL, slices.Concat(exchanges, queueExchanges))
}
