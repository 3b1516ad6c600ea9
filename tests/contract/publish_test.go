package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func messagesURL(s *harness.Stack, topic string) string {
	return s.PublishURL + "/v1/topics/" + topic + "/messages"
}

func post(t *testing.T, s *harness.Stack, topic, body string, headers ...string) harness.Response {
	t.Helper()
	return s.Do(t, http.MethodPost, messagesURL(s, topic), body, headers...)
}

func TestPublishAnswersWithIDTopicAndSeq(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	r := post(t, s, "orders.created", `{"n":1}`, "Content-Type: application/json")
	if r.Status != http.StatusCreated || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Fatalf("status %d, headers %v: %s", r.Status, r.Header, r.Body)
	}
	var answer map[string]any
	r.JSON(t, &answer)
	if answer["id"] == "" || answer["topic"] != "orders.created" || answer["seq"] != 1.0 || answer["duplicate"] != false || len(answer) != 4 {
		t.Errorf("answer %s, want id, topic, seq and duplicate", r.Body)
	}
	second := s.Publish(t, "orders.created", `{"n":1}`)
	if second.Seq != 2 || second.ID == answer["id"] {
		t.Errorf("second %+v, want seq 2 and an id of its own", second)
	}
	for name, topic := range map[string]string{
		"255 bytes": strings.Repeat("a", 255), "16 tokens": strings.Repeat("a.", 15) + "a", "every kind of character": "A-z_0.9",
	} {
		if got := s.Publish(t, topic, `1`); got.Topic != topic {
			t.Errorf("a topic with %s: got %q", name, got.Topic)
		}
	}
}

func TestPublishRefusesTopicsThatAreNone(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for name, path := range map[string]string{
		"star": "a.*", "star encoded": "a.%2A", "greater": "a.%3E", "greater alone": ">", "empty token": "a..b",
		"leading dot": ".a", "trailing dot": "a.", "empty": "", "non-ASCII": "%C3%A9", "not UTF-8": "a%FF", "NUL": "a%00b",
		"dollar": "$SYS.a", "dollar encoded": "%24JS.API", "slash": "a/b", "slash encoded": "a%2Fb", "space": "a%20b",
		"line break": "a%0D%0Ab", "percent": "a%25", "17 tokens": strings.Repeat("a.", 16) + "a",
		"256 bytes": strings.Repeat("a", 256), "5000 bytes": strings.Repeat("a", 5000), "the name of the route": "messages/messages",
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, post(t, s, path, "x"), http.StatusBadRequest, "invalid_topic")
		})
	}
	if r := s.Publish(t, "a", `1`); r.Seq != 1 {
		t.Errorf("seq %d, want 1: nothing refused may be stored", r.Seq)
	}
}

func TestTheSameIDIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	first := s.Publish(t, "orders", `{"n":1}`, "Idempotency-Key: order-1")
	if first.ID != "order-1" {
		t.Errorf("id %q, want order-1", first.ID)
	}
	for name, key := range map[string]string{"bare": `order-1`, "quoted": `"order-1"`} {
		r := post(t, s, "orders", `{"n":1}`, "Idempotency-Key: "+key, "Content-Type: application/json")
		var again harness.Receipt
		r.JSON(t, &again)
		first.Duplicate = true
		if r.Status != http.StatusOK || again != first {
			t.Errorf("%s: status %d, %+v, want 200 and %+v", name, r.Status, again, first)
		}
	}
	if other := s.Publish(t, "invoices", `{"n":2}`, "Idempotency-Key: order-1"); other.Duplicate {
		t.Error("an id is scoped to its topic")
	}
	r := post(t, s, "orders", `{"n":2}`, "Idempotency-Key: order-1", "Content-Type: application/json")
	checkProblem(t, r, http.StatusUnprocessableEntity, "id_reused")
	r = post(t, s, "orders", `{"n":1}`, "Idempotency-Key: order-1", "Content-Type: text/plain")
	checkProblem(t, r, http.StatusUnprocessableEntity, "id_reused")
}

func TestIdempotencyKeyIsRead(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for name, test := range map[string]struct{ key, id string }{
		"with escapes":   {`"a\"b\\c"`, `a"b\c`},
		"256 characters": {strings.Repeat("x", 256), strings.Repeat("x", 256)},
		"all visible":    {`!#$%&'()*+,-./:;<=>?@[]^_{|}~`, `!#$%&'()*+,-./:;<=>?@[]^_{|}~`},
	} {
		t.Run(name, func(t *testing.T) {
			if r := s.Publish(t, "a", `1`, "Idempotency-Key: "+test.key); r.ID != test.id {
				t.Errorf("id %q, want %q", r.ID, test.id)
			}
		})
	}
	for name, keys := range map[string][]string{
		"empty": {""}, "empty quoted": {`""`}, "257 characters": {strings.Repeat("x", 257)}, "a space": {`"a b"`},
		"non-ASCII": {"\u00e9"}, "not UTF-8": {"\xff"}, "a tab": {"a\tb"}, "twice": {"a", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range keys {
				keys[i] = "Idempotency-Key: " + keys[i]
			}
			checkProblem(t, post(t, s, "a", "x", keys...), http.StatusBadRequest, "invalid_id")
		})
	}
}

func TestHeadersAreDeliveredInLowerCase(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	const parent, state = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1"
	sent := s.Publish(t, "a", `1`, "Msgq-Header-Region: eu", "msgq-header-x-2: a\tb \u00e9",
		"traceparent: "+parent, "tracestate: "+state, "Nats-Rollup: all", "Nats-Msg-Id: x", "Authorization: secret")
	got := message(t, ws, "s", sent).Headers
	want := map[string]string{"region": "eu", "x-2": "a\tb \u00e9", "traceparent": parent, "tracestate": state}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("headers %v, want %v", got, want)
	}
	// The broker would drop this one, or all before it, if it saw these as its own.
	message(t, ws, "s", s.Publish(t, "a", `2`, "Nats-Rollup: all", "Nats-Msg-Id: x"))
	subscribe(t, ws, "all", object{"topics": []string{">"}, "from": "all"})
	message(t, ws, "all", sent)
}

func TestMalformedTraceContextIsIgnored(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for name, parent := range map[string]string{
		"no trace": "00-" + span + "-01", "upper case": "00-" + strings.ToUpper(trace) + "-" + span + "-01",
		"all zeros": "00-" + strings.Repeat("0", 32) + "-" + span + "-01", "version ff": "ff-" + trace + "-" + span + "-01",
		"more than version 00 has": "00-" + trace + "-" + span + "-01-x", "garbage behind": "00-" + trace + "-" + span + "-01; drop table",
	} {
		t.Run(name, func(t *testing.T) {
			sent := s.Publish(t, "a", `1`, "traceparent: "+parent, "tracestate: a=1")
			if got := message(t, ws, "s", sent).Headers; len(got) != 0 {
				t.Errorf("headers %v, want none", got)
			}
		})
	}
}

func TestHeadersOutsideTheirLimitsAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	many := func(n int) (headers []string) {
		for i := range n {
			headers = append(headers, fmt.Sprintf("Msgq-Header-H%d: v", i))
		}
		return headers
	}
	s.Publish(t, "a", `1`, many(64)...)
	s.Publish(t, "a", `1`, "Msgq-Header-X: "+strings.Repeat("v", 16<<10-1))
	for name, headers := range map[string][]string{
		"65 of them":               many(65),
		"16 KiB and a byte":        {"Msgq-Header-X: " + strings.Repeat("v", 16<<10)},
		"a name of the broker":     {"Msgq-Header-Nats-Rollup: all"},
		"a name of ours":           {"Msgq-Header-Msgq-Id: x"},
		"an underscore":            {"Msgq-Header-a_b: x"},
		"no name":                  {"Msgq-Header-: x"},
		"a value that is no UTF-8": {"Msgq-Header-X: \xff"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProblem(t, post(t, s, "a", "x", headers...), http.StatusBadRequest, "invalid_header")
		})
	}
}

func TestTTLOutsideItsLimitsIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for _, ttl := range []string{"0s", "-1s", "999ms", "1ns", "90", "forever", "2562047h47m16.8s"} {
		t.Run(ttl, func(t *testing.T) {
			checkProblem(t, post(t, s, "a", "x", "Msgq-TTL: "+ttl), http.StatusUnprocessableEntity, "invalid_ttl")
		})
	}
	for _, ttl := range []string{"1s", "1500ms", "90m", "8760h"} {
		s.Publish(t, "a", `1`, "Msgq-TTL: "+ttl)
	}
}

func TestMessageIsForgottenAfterItsTTL(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	before := s.Publish(t, "a", `1`)
	short := s.Publish(t, "a", `2`, "Msgq-TTL: 1s")
	after := s.Publish(t, "a", `3`)
	ws := s.Dial(t, nil)
	subscribe(t, ws, "at once", object{"topics": []string{"a"}, "from": "all"})
	for _, sent := range []harness.Receipt{before, short, after} {
		message(t, ws, "at once", sent)
	}
	i := 0
	msgqtest.Eventually(t, "a new subscription sees only the two messages without TTL", func() bool {
		i++
		subscribe(t, ws, fmt.Sprint(i), object{"topics": []string{"a"}, "from": "all"})
		ws.WaitType("message")
		second := ws.WaitType("message")
		if second.Seq == short.Seq {
			ws.WaitType("message")
		}
		ws.Send(object{"type": "unsubscribe", "id": fmt.Sprint(i), "ref": 1})
		ws.WaitType("ok")
		return second.Seq == after.Seq
	})
}
