package contract_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// The limits that the contract names. The welcome tells them, and the tests below reach for one more.
var contractLimits = map[string]int{
	"frame": 64 << 10, "subscriptions": 100, "topics": 16, "filter": 2 << 10, "credit": 1000, "tags": 1000, "last": 10_000,
}

func TestWelcomeComesFirstAndTellsTheLimits(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	a, b := s.Dial(t, nil).Welcome, s.Dial(t, nil).Welcome
	if a.Connection == "" || a.Connection == b.Connection || a.Epoch == "" || a.Epoch != b.Epoch || a.Server == "" {
		t.Errorf("welcomes %s and %s, want a connection of its own, epoch and server", a.Raw, b.Raw)
	}
	if !maps.Equal(a.Limits, contractLimits) {
		t.Errorf("limits %v, want %v", a.Limits, contractLimits)
	}
}

func TestWhatIsWithinALimitIsTakenAndOneMoreIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"q"}, "queue": "q"})
	topics := func(n int) []string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("t.%d", i))
		}
		return list
	}
	sub := func(id string, fields object) object {
		o := object{"type": "subscribe", "id": id, "topics": []string{"a"}}
		maps.Copy(o, fields)
		return o
	}
	for name, test := range map[string]struct {
		limit int
		of    func(n int) object
		// What is answered at the limit, an error's code or a type, and past it.
		within, past string
	}{
		"topics":               {16, func(n int) object { return sub("s", object{"topics": topics(n)}) }, "subscribed", "invalid_topic"},
		"bytes of a filter":    {2048, func(n int) object { return sub("s", object{"filter": "true" + strings.Repeat(" ", n-4)}) }, "subscribed", "invalid_filter"},
		"characters of an id":  {64, func(n int) object { return sub(strings.Repeat("é", n), nil) }, "subscribed", "bad_request"},
		"the last":             {10_000, func(n int) object { return sub("s", object{"from": object{"last": n}}) }, "subscribed", "invalid_from"},
		"credit of a queue":    {1000, func(n int) object { return sub("s", object{"queue": "other", "credit": n}) }, "subscribed", "bad_request"},
		"credit":               {1000, func(n int) object { return object{"type": "credit", "id": "q", "credit": n} }, "ok", "bad_request"},
		"tags":                 {1000, func(n int) object { return object{"type": "ack", "id": "q", "tags": topics(n)} }, "unknown_tag", "bad_request"},
		"characters of a name": {64, func(n int) object { return sub("s", object{"queue": strings.Repeat("n", n)}) }, "subscribed", "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			for n, want := range map[int]string{test.limit: test.within, test.limit + 1: test.past} {
				request := test.of(n)
				request["ref"] = n
				ws.Send(request)
				f := ws.WaitRef(fmt.Sprint(n))
				if got := f.Type; got != want && f.Code != want {
					t.Errorf("%d: got %s, want %s", n, f.Raw, want)
				}
				if f.Type == "subscribed" {
					ws.Send(object{"type": "unsubscribe", "id": f.ID, "ref": "u"})
					ws.WaitRef(`"u"`)
				}
			}
		})
	}
}

func TestRefOf256BytesIsRepeatedAndALongerOneIsRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	ref := quote(strings.Repeat("r", 254))
	ws.SendText(`{"type":"ping","ref":` + ref + `}`)
	if f := ws.Next(); f.Type != "pong" || string(f.Ref) != ref {
		t.Errorf("got %s, want a pong with the ref", f.Raw)
	}
	ws.SendText(`{"type":"ping","ref":"r` + ref[1:] + `}`)
	checkError(t, ws.Next(), "bad_request", "")
}

func TestSubscriptionsPastTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	limit := ws.Welcome.Limits["subscriptions"]
	if limit < 1 {
		t.Fatalf("welcome %s names no limit for subscriptions", ws.Welcome.Raw)
	}
	for i := range limit {
		subscribe(t, ws, fmt.Sprint(i), object{"topics": []string{"a"}})
	}
	ws.Send(object{"type": "subscribe", "id": "more", "topics": []string{"a"}, "ref": 1})
	checkError(t, ws.Next(), "limit_exceeded", "1")
}

func TestHandshakeThatIsNoneIsAProblem(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for names, h := range map[string][2]string{"version": {"7", "AAAAAAAAAAAAAAAAAAAAAA=="}, "Key": {"13", "short"}} {
		headers := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: " + h[0], "Sec-WebSocket-Key: " + h[1]}
		r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/ws", "", headers...)
		checkProblem(t, r, http.StatusBadRequest, "invalid_request")
		if !strings.Contains(string(r.Body), names) || r.Header.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("%s: %v %s, want what is wrong and the version that is right", h, r.Header, r.Body)
		}
	}
}
