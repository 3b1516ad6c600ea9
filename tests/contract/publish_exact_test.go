package contract_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// What is published comes out as it was, however odd.

func TestBlanksAtTheEndsOfHeadersAreKept(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "live", object{"topics": []string{">"}})
	subscribe(t, ws, "queue", object{"topics": []string{">"}, "queue": "q", "filter": `headers["a"] == " x "`, "backoff": "0s"})
	want := map[string]string{"a": " x ", "b": "\t", "c": "", "d": `"`, "e": "a  b", "f": ` "`}
	item, err := json.Marshal(object{"topic": "a", "data": 1, "headers": want, "datacontenttype": " application/json ", "id": "one"})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"201", "200"} { // and its own repeat is no other data
		if got := codes(resultsOf(t, postBatch(t, s, "", string(item), ndjson))); got != code {
			t.Errorf("got %s, want %s", got, code)
		}
	}
	for range 2 { // live and, by its filter, in the queue
		f := ws.WaitType("message")
		if fmt.Sprint(f.Headers) != fmt.Sprint(want) {
			t.Errorf("%s: headers %q, want %q", f.ID, f.Headers, want)
		}
	}
	post(t, s, "ce", `1`, "Content-Type: application/json", "ce-specversion: 1.0", "ce-id: 1", "ce-source: /s", "ce-type: t", "ce-subject: %20x%09")
	if f := ws.WaitType("message"); f.Headers["ce-subject"] != " x\t" {
		t.Errorf("subject %q, want blanks as they were sent", f.Headers["ce-subject"])
	}
}

func TestLimitOfGzipHoldsForWhatItIsDecodedTo(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--max-body=64KiB"}})
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	zipped := zip(t, string(noise))
	if len(zipped) <= len(noise) {
		t.Fatalf("%d bytes became %d", len(noise), len(zipped))
	}
	if r := post(t, s, "a", zipped, "Content-Encoding: gzip"); r.Status != http.StatusCreated {
		t.Errorf("64 KiB that grew to %d bytes: %d %s", len(zipped), r.Status, r.Body)
	}
	checkProblem(t, post(t, s, "a", zip(t, string(noise)+"x"), "Content-Encoding: gzip"), http.StatusRequestEntityTooLarge, "too_large")
	checkProblem(t, post(t, s, "a", strings.Repeat("x", 1<<20), "Content-Encoding: gzip"), http.StatusRequestEntityTooLarge, "too_large")
}

func TestItemOfABatchMayHaveTheDataThatABodyMay(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	odd := []string{`{"a":1,"a":2}`, `"\ud800"`, `{"\udc00":[1]}`}
	var items []string
	for _, data := range odd {
		if r := post(t, s, "a", data, jsonArray); r.Status != http.StatusCreated {
			t.Errorf("%s alone: %d %s", data, r.Status, r.Body)
		}
		items = append(items, fmt.Sprintf(`{"topic":"a","data":%s}`, data))
	}
	bad := []string{
		`{"topic":"a","topic":"b","data":1}`, `{"topic":"a","data":1,"data":2}`, `{"topic":"a","headers":{"x":"\ud800"},"data":1}`,
		`{"topic":"a","data":"\ud800","datacontenttype":"text/plain"}`, "{\"topic\":\"a\",\"data\":\"\xff\"}",
	}
	items = append(items, bad...)
	items = append(items, `{"topic":"a","data":"end"}`)
	const want = "201 201 201 invalid_request invalid_request invalid_request invalid_request invalid_json 201"
	for kind, body := range map[string]string{ndjson: strings.Join(items, "\n"), jsonArray: "[" + strings.Join(items, ",") + "]"} {
		if got := codes(resultsOf(t, postBatch(t, s, "", body, kind))); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	batch := append(slices.Clone(odd), `"end"`)
	for _, data := range slices.Concat(odd, batch, batch) {
		if f := ws.WaitType("message"); string(f.Data) != data {
			t.Errorf("got %s, want %s", f.Data, data)
		}
	}
}

func TestTraceContextCostsNoHeaderAndIsCheckedOrIgnored(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	full := []string{"traceparent: " + parent, "tracestate: a=1"}
	for i := range 64 {
		full = append(full, fmt.Sprintf("Msgq-Header-H%d: x", i))
	}
	if f := message(t, ws, "s", s.Publish(t, "a", `1`, full...)); len(f.Headers) != 66 || f.Headers["traceparent"] != parent {
		t.Errorf("%d headers, want 64 and the trace context", len(f.Headers))
	}
	for name, test := range map[string]struct {
		state []string
		want  string
	}{
		"two headers": {[]string{"a=1", "b=2,c@t=3"}, "a=1,b=2,c@t=3"}, "no value": {[]string{"a"}, ""}, "too long": {[]string{"a=" + strings.Repeat("x", 600)}, ""},
		"upper case": {[]string{"A=1"}, ""}, "two signs": {[]string{"a=b=c"}, ""}, "empty": {[]string{""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{"traceparent: " + parent}
			for _, state := range test.state {
				headers = append(headers, "tracestate: "+state)
			}
			if f := message(t, ws, "s", s.Publish(t, "a", `1`, headers...)); f.Headers["tracestate"] != test.want || f.Headers["traceparent"] != parent {
				t.Errorf("headers %q, want tracestate %q", f.Headers, test.want)
			}
		})
	}
	if f := message(t, ws, "s", s.Publish(t, "a", `1`, "traceparent: 01"+parent[2:]+"-\xff")); len(f.Headers) != 0 {
		t.Errorf("headers %q, want a malformed one to be ignored", f.Headers)
	}
}

func TestContentTypeWithOddParametersIsStillJSON(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	for _, kind := range []string{"application/json; a=1; a=2", "Application/JSON ; charset", "application/json;"} {
		checkProblem(t, post(t, s, "a", `{`, "Content-Type: "+kind), http.StatusBadRequest, "invalid_json")
		if f := message(t, ws, "s", s.Publish(t, "a", `{"n":1}`, "Content-Type: "+kind)); string(f.Data) != `{"n":1}` {
			t.Errorf("%s: got %s, want JSON", kind, f.Raw)
		}
	}
	event := `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1}`
	if r := post(t, s, "a", event, "Content-Type: application/cloudevents+json; a=1; a=2"); r.Status != http.StatusCreated {
		t.Errorf("CloudEvent: %d %s", r.Status, r.Body)
	}
	if f := ws.WaitType("message"); f.Headers["ce-type"] != "t" || string(f.Data) != "1" {
		t.Errorf("got %s, want a CloudEvent", f.Raw)
	}
}
