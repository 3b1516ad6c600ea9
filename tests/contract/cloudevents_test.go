package contract_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/asyncmsglib/msgq/tests/harness"
)

const structured, eventBatch = "Content-Type: application/cloudevents+json", "Content-Type: application/cloudevents-batch+json"

func sdkEvent(id string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID(id)
	e.SetSource("/shop")
	e.SetType("com.example.order.created")
	e.SetSubject(`50 % "off" €`)
	e.SetExtension("region", "eu")
	_ = e.SetData("application/json", json.RawMessage(`{"total":42.5}`))
	return e
}

// checkEvent wants the event as the SDK sent it.
func checkEvent(t *testing.T, f harness.Frame, id string) {
	t.Helper()
	want := map[string]string{
		"ce-specversion": "1.0", "ce-id": id, "ce-source": "/shop", "ce-type": "com.example.order.created",
		"ce-subject": `50 % "off" €`, "ce-region": "eu",
	}
	delete(f.Headers, "ce-time") // the SDK's
	if f.MessageID != id || !maps.Equal(f.Headers, want) || string(f.Data) != `{"total":42.5}` {
		t.Errorf("got %s, want the headers %v", f.Raw, want)
	}
}

func TestCloudEventsSDKPublishesInAllModes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"orders"}})
	client, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(messagesURL(s, "orders")), cehttp.WithClient(*s.Client))
	if err != nil {
		t.Fatal(err)
	}
	for mode, ctx := range map[string]context.Context{
		"binary": cloudevents.WithEncodingBinary(t.Context()), "structured": cloudevents.WithEncodingStructured(t.Context()),
	} {
		for range 2 { // sent again, it is stored once
			if result := client.Send(ctx, sdkEvent(mode)); !cloudevents.IsACK(result) {
				t.Fatalf("%s: %v", mode, result)
			}
		}
		checkEvent(t, ws.WaitType("message"), mode)
	}
	req, err := cehttp.NewHTTPRequestFromEvents(t.Context(), messagesURL(s, "orders"), []cloudevents.Event{sdkEvent("b1"), sdkEvent("b2"), sdkEvent("b1")})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Results []batchResult }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK || codes(answer.Results) != "201 201 200" {
		t.Errorf("batch: status %d, %+v, %v", res.StatusCode, answer, err)
	}
	checkEvent(t, ws.WaitType("message"), "b1")
	checkEvent(t, ws.WaitType("message"), "b2")
}

func eventJSON(change object) string {
	e := object{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
	maps.Copy(e, change)
	text, _ := json.Marshal(e)
	return string(text)
}

func TestCloudEventsIDIsScopedToItsSource(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for i, e := range []object{{"source": "/a"}, {"source": "/b"}, {}} {
		if r := post(t, s, "a", eventJSON(e), structured); r.Status != http.StatusCreated {
			t.Errorf("event %d: %d %s", i, r.Status, r.Body)
		}
	}
	if r := post(t, s, "a", `1`, "Idempotency-Key: 1"); r.Status != http.StatusCreated {
		t.Errorf("no event: %d %s", r.Status, r.Body)
	}
	if r := post(t, s, "a", eventJSON(object{"source": "/a"}), structured); r.Status != http.StatusOK {
		t.Errorf("again: %d %s", r.Status, r.Body)
	}
	checkProblem(t, post(t, s, "a", eventJSON(object{"source": "/a", "data": 1}), structured), http.StatusUnprocessableEntity, "id_reused")
	checkProblem(t, post(t, s, "a", eventJSON(nil), structured, "Idempotency-Key: 2"), http.StatusBadRequest, "invalid_id")

	s.Publish(t, "a", eventJSON(object{"id": "later", "source": "/x?y"}), structured, "Msgq-Delay: 1h")
	cancel := s.PublishURL + "/v1/delayed/a/later"
	checkProblem(t, s.Do(t, http.MethodDelete, cancel, ""), http.StatusNotFound, "not_found")
	if r := s.Do(t, http.MethodDelete, cancel+"?source=/x%3Fy", ""); r.Status != http.StatusNoContent {
		t.Errorf("cancel: %d %s", r.Status, r.Body)
	}
}

func TestCloudEventsDataIsWhatItsContentTypeSays(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	for i, test := range []struct {
		event                     object
		contentType, data, base64 string
	}{
		{object{"data": object{"n": 1}}, "application/json", `{"n":1}`, ""},
		{object{"data": "text"}, "application/json", `"text"`, ""},
		{object{"data": "text", "datacontenttype": "text/plain"}, "text/plain", `"text"`, ""},
		{object{"data": "<x/>", "datacontenttype": "application/xml"}, "application/xml", "", "PHgvPg=="},
		{object{"data": 1, "datacontenttype": "application/vnd.x+json"}, "application/vnd.x+json", "1", ""},
		{object{"data_base64": "AP8="}, "application/octet-stream", "", "AP8="},
		{object{"datacontenttype": nil, "flag": true, "count": 7}, "application/octet-stream", "", ""},
	} {
		test.event["id"] = fmt.Sprint(i)
		f := message(t, ws, "s", s.Publish(t, "a", eventJSON(test.event), structured))
		encoded := ""
		if f.DataBase64 != nil {
			encoded = *f.DataBase64
		}
		if f.DataContentType != test.contentType || string(f.Data) != test.data || encoded != test.base64 {
			t.Errorf("%v: got %s", test.event, f.Raw)
		}
		if test.event["flag"] == true && (f.Headers["ce-flag"] != "true" || f.Headers["ce-count"] != "7") {
			t.Errorf("headers %v", f.Headers)
		}
	}
}

func TestCloudEventWithoutDataKeepsItsContentType(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	post(t, s, "a", eventJSON(object{"data_base64": nil, "datacontenttype": "application/json"}), structured)
	if f := ws.WaitType("message"); f.Headers["ce-datacontenttype"] != "application/json" || f.DataContentType != "application/octet-stream" {
		t.Errorf("got %s", f.Raw)
	}
}

func TestWhatIsNoCloudEventIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for name, body := range map[string]string{
		"an array": "[]", "null": "null",
		"a member twice": `{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}`,
		"version 0.3":    eventJSON(object{"specversion": "0.3"}), "no version": eventJSON(object{"specversion": nil}),
		"no id": eventJSON(object{"id": nil}), "empty source": eventJSON(object{"source": ""}), "no type": eventJSON(object{"type": nil}),
		"type is a number of another kind": eventJSON(object{"type": 1.5}), "an upper case name": eventJSON(object{"Region": "eu"}),
		"an object as attribute": eventJSON(object{"x": object{}}), "64 bits": eventJSON(object{"x": 1 << 40}), "a time that is none": eventJSON(object{"time": "now"}),
		"empty subject": eventJSON(object{"subject": ""}), "source is no URI": eventJSON(object{"source": "%zz"}),
		"data twice": eventJSON(object{"data": 1, "data_base64": ""}), "no base64": eventJSON(object{"data_base64": "*"}), "base64 of a number": eventJSON(object{"data_base64": 1}),
		"id is a number": eventJSON(object{"id": 7}), "type is a boolean": eventJSON(object{"type": true}), "dataschema is relative": eventJSON(object{"dataschema": "a/b"}),
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, post(t, s, "a", body, structured), http.StatusBadRequest, "invalid_request")
		})
	}
	for _, body := range []string{"", "{", eventJSON(nil) + eventJSON(nil), `{"specversion":"1.0","id":"` + "\xff" + `"}`} {
		checkProblem(t, post(t, s, "a", body, structured), http.StatusBadRequest, "invalid_json")
	}
	checkProblem(t, post(t, s, "a", eventJSON(object{"id": "ä"}), structured), http.StatusBadRequest, "invalid_id")
	checkProblem(t, post(t, s, "a", eventJSON(object{"x": "a\r\nb"}), structured), http.StatusBadRequest, "invalid_header")
	checkProblem(t, post(t, s, "a", "<e/>", "Content-Type: application/cloudevents+xml"), http.StatusBadRequest, "invalid_request")
	checkProblem(t, post(t, s, "a", eventJSON(nil), eventBatch), http.StatusBadRequest, "invalid_json")
	large := eventJSON(object{"data": strings.Repeat("x", 1<<20)})
	checkProblem(t, post(t, s, "a", large, structured), http.StatusRequestEntityTooLarge, "too_large")
	if r := post(t, s, "a", "["+eventJSON(nil)+",{},"+eventJSON(object{"id": "2"})+"]", eventBatch); codes(resultsOf(t, r)) != "201 invalid_request 201" {
		t.Errorf("batch: %s", r.Body)
	}
	checkProblem(t, post(t, s, "a", "["+eventJSON(nil)+",{}]", eventBatch, "Idempotency-Key: x"), http.StatusBadRequest, "invalid_id")
}

func TestBinaryCloudEventsHeadersAreDecoded(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	required := []string{"ce-specversion: 1.0", "ce-source: /s", "ce-type: t"}
	send := func(id string, headers ...string) harness.Response {
		return post(t, s, "a", `{}`, append(append(headers, "ce-id: "+id, jsonArray), required...)...)
	}
	values := map[string]string{
		"Euro%20%E2%82%AC": "Euro €", `"quoted \"x\" %25"`: `quoted "x" %`, "%F0%9F%98%80": "😀", "plain": "plain", "a+b": "a+b", "50%": "50%", "100 %zz": "100 %zz",
	}
	i := 0
	for sent, want := range values {
		i++
		if r := send(fmt.Sprint(i), "ce-subject: "+sent); r.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", sent, r.Status, r.Body)
		}
		if f := ws.WaitType("message"); f.Headers["ce-subject"] != want {
			t.Errorf("%s: got %q, want %q", sent, f.Headers["ce-subject"], want)
		}
	}
	for name, headers := range map[string][]string{
		"overlong": {"ce-subject: %C0%A0"}, "not UTF-8": {"ce-subject: %FF"}, "cut off": {"ce-subject: %E2%82"},
		"raw bytes": {"ce-subject: \xc0\xa0"}, "a surrogate": {"ce-subject: %ED%A0%80"}, "twice": {"ce-subject: a", "ce-subject: b"},
		"a bad name": {"ce-my-ext: x"}, "datacontenttype": {"ce-datacontenttype: text/plain"}, "a bad time": {"ce-time: now"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, send("x", headers...), http.StatusBadRequest, "invalid_request")
		})
	}
	for _, encoded := range []string{"%0D%0A", "a%00b"} { // lines that would end, once decoded
		checkProblem(t, send("x", "ce-subject: "+encoded), http.StatusBadRequest, "invalid_header")
	}
	for i := range required {
		headers := append([]string{"ce-id: 1"}, required...)
		checkProblem(t, post(t, s, "a", "x", append(headers[:i+1], headers[i+2:]...)...), http.StatusBadRequest, "invalid_request")
	}
}
