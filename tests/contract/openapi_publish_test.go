package contract_test

import (
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestAnswersAreAsTheOpenAPIDocumentSays(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const item = `{"topic":"a","id":"2","data":{"n":1},"headers":{"x":"y"}}`
	followDocument(t, s, s.PublishURL, []exchange{
		{201, "POST", "/v1/topics/a/messages", `{"n":1}`, jsonArray + "|Idempotency-Key: 1|Msgq-TTL: 1h"},
		{200, "POST", "/v1/topics/a/messages", `{"n":1}`, jsonArray + "|Idempotency-Key: 1"},
		{422, "POST", "/v1/topics/a/messages", `{"n":2}`, jsonArray + "|Idempotency-Key: 1"},
		{201, "POST", "/v1/topics/a/messages", `{"n":1}`, jsonArray + "|Idempotency-Key: d|Msgq-Delay: 1h"},
		{201, "POST", "/v1/topics/a/messages", eventJSON(nil), structured},
		{400, "POST", "/v1/topics/a/messages", `{}`, structured},
		{200, "POST", "/v1/topics/a/messages", "[" + eventJSON(nil) + "," + eventJSON(object{"time": "now"}) + "]", eventBatch},
		{201, "POST", "/v1/topics/a/messages?atomic=true", "[" + eventJSON(object{"id": "9"}) + "]", eventBatch},
		{400, "POST", "/v1/topics/a..b/messages", `1`, jsonArray},
		{415, "POST", "/v1/topics/a/messages", `1`, jsonArray + "|Content-Encoding: br"},
		{200, "POST", "/v1/messages", item + "{}", ndjson},
		{200, "POST", "/v1/messages", "[" + item + `,{"topic":"a","data":1,"delay":"1h"}]`, jsonArray},
		{200, "POST", "/v1/messages?atomic=true", item, ndjson},
		{201, "POST", "/v1/messages?atomic=true", `[{"topic":"a","data_base64":"AA=="}]`, jsonArray},
		{400, "POST", "/v1/messages?atomic=true", `[{"topic":"a","deta":""}]`, jsonArray},
		{400, "POST", "/v1/messages?atomic=x", item, ndjson},
		{200, "GET", "/v1/delayed?limit=1", "", ""},
		{400, "GET", "/v1/delayed?limit=x", "", ""},
		{204, "DELETE", "/v1/delayed/a/d", "", ""},
		{404, "DELETE", "/v1/delayed/a/d", "", ""},
		{200, "GET", "/healthz", "", ""},
		{200, "GET", "/readyz", "", ""},
		{200, "GET", "/metrics", "", ""},
		{200, "GET", "/openapi.yaml", "", ""},
	})
}
