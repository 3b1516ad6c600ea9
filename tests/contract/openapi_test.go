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
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, // whether a token is needed is a setting
	}}
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

// exchange is a request and the status that its answer must have.
type exchange struct {
	status             int
	method, path, body string
	headers            string // separated by |
}

// followDocument makes the requests and wants every answer to be as the service's
// document says, and every operation of the document to be among them.
func followDocument(t *testing.T, s *harness.Stack, url string, exchanges []exchange) {
	t.Helper()
	r := s.Do(t, http.MethodGet, url+"/openapi.yaml", "")
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
	check := &documented{t: t, router: router, next: s.Client.Transport, seen: make(map[string]bool)}
	s.Client.Transport = check
	for _, c := range exchanges {
		var headers []string
		if c.headers != "" {
			headers = strings.Split(c.headers, "|")
		}
		if r := s.Do(t, c.method, url+c.path, c.body, headers...); r.Status != c.status {
			t.Errorf("%s %s %s: status %d, want %d: %s", c.method, c.path, c.body, r.Status, c.status, r.Body)
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

// Media types that are text to the documents, or JSON.
func init() {
	for _, name := range []string{"application/x-ndjson", "application/yaml", "text/plain", "text/html", "text/css", "text/javascript", "image/svg+xml"} {
		openapi3filter.RegisterBodyDecoder(name, openapi3filter.FileBodyDecoder)
	}
	for _, name := range []string{"application/cloudevents+json", "application/cloudevents-batch+json"} {
		openapi3filter.RegisterBodyDecoder(name, openapi3filter.JSONBodyDecoder)
	}
}
