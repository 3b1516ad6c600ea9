package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
)

// refuseFirst is a service that refuses the first subscriptions so, and then delivers an event.
func refuseFirst(t *testing.T, refusals int64, refusal string) (url string) {
	t.Helper()
	var tries atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = ws.Close() }()
		_, _, _ = ws.ReadMessage()
		answer := refusal
		if tries.Add(1) > refusals {
			answer = `{"type":"subscribed","id":"msgq","seq":0,"recovered":true}` + "\n" + `{"type":"message","id":"msgq","seq":1,"topic":"a"}`
		}
		_ = ws.WriteMessage(websocket.TextMessage, []byte(answer))
		_, _, _ = ws.ReadMessage() // until the client leaves
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestSubTriesAgainWhatIsRefusedForNow(t *testing.T) {
	url := refuseFirst(t, 2, `{"type":"error","id":"msgq","code":"broker_unavailable","message":"no leader","retryable":true}`)
	r := command(t, "", "sub", "--subscribe-url", url, "a", "-n", "1")
	if r.code != 0 || !strings.Contains(r.out, `"seq":1`) || strings.Count(r.err, "not subscribed yet (broker_unavailable: no leader), trying again") != 2 {
		t.Errorf("%+v", r)
	}
	url = refuseFirst(t, 1, `{"type":"error","id":"msgq","code":"forbidden","message":"no","retryable":false}`)
	if r := command(t, "", "sub", "--subscribe-url", url, "a", "-n", "1"); r.code != exitFailed || strings.Contains(r.err, "again") {
		t.Errorf("refused for good: %+v", r)
	}
}
