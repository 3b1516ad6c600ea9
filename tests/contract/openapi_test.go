package contract_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// documented wants what passes through it to be as the document says.
type documented struct {
	t      *testing.T
	router routers.Router
	next   http.RoundTripper
	seen   map[string]bool // operations
}

func (d *documented) RoundTrip(req *http.Request) (*http.Response, error) {
	route, params, err := d.router.FindRoute(req)
	if err != nil {
		d.t.Errorf("%s %s is not documented: %v", req.Method, req.URL.Path, err)
		return d.next.RoundTrip(req)
	}
	d.seen[route.Operation.OperationID] = true
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
	req.Body = io.NopCloser(bytes.NewReader(body))
	wrong := openapi3filter.ValidateRequest(d.t.Context(), input)
	req.Body = io.NopCloser(bytes.NewReader(body))
	res, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if wrong != nil && res.StatusCode < http.StatusBadRequest {
		d.t.Errorf("%s %s is answered %d, but the document refuses it: %v", req.Method, req.URL.Path, res.StatusCode, wrong)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(answer))
	if err := openapi3filter.ValidateResponse(d.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(answer)),
	}); err != nil {
		d.t.Errorf("%s %s: the answer %d is not as documented: %v\n%s", req.Method, req.URL.Path, res.StatusCode, err, answer)
	}
	return res, nil
}

func TestAnswersAreAsTheOpenAPIDocumentSays(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	r := s.Do(t, http.MethodGet, s.PublishURL+"/openapi.yaml", "")
	doc, err := openapi3.NewLoader().LoadFromData(r.Body)
	if err != nil || !doc.IsOpenAPI31OrLater() {
		t.Fatalf("status %d: %v", r.Status, err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"application/x-ndjson", "application/yaml"} { // they are text to the document
		openapi3filter.RegisterBodyDecoder(name, openapi3filter.FileBodyDecoder)
	}
	openapi3filter.RegisterBodyDecoder("text/plain", openapi3filter.FileBodyDecoder)
	for _, name := range []string{"application/cloudevents+json", "application/cloudevents-batch+json"} {
		openapi3filter.RegisterBodyDecoder(name, openapi3filter.JSONBodyDecoder)
	}
	check := &documented{t: t, router: router, next: s.Client.Transport, seen: make(map[string]bool)}
	s.Client.Transport = check

	const item = `{"topic":"a","id":"2","data":{"n":1},"headers":{"x":"y"}}`
	for _, test := range []struct {
		status             int
		method, path, body string
		headers            string // separated by |
	}{
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
	} {
		var headers []string
		if test.headers != "" {
			headers = strings.Split(test.headers, "|")
		}
		if r := s.Do(t, test.method, s.PublishURL+test.path, test.body, headers...); r.Status != test.status {
			t.Errorf("%s %s %s: status %d, want %d: %s", test.method, test.path, test.body, r.Status, test.status, r.Body)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !check.seen[op.OperationID] {
				t.Errorf("%s %s was not tried", method, path)
			}
		}
	}
}
