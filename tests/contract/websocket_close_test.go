package contract_test

import (
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestSubprotocolIsTakenIfOffered(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for offered, want := range map[string]string{"msgq.v1": "msgq.v1", "mqtt, msgq.v1": "msgq.v1"} {
		ws := s.Dial(t, http.Header{"Sec-Websocket-Protocol": {offered}})
		if got := ws.Conn.Subprotocol(); got != want {
			t.Errorf("offered %q, got %q, want %q", offered, got, want)
		}
	}
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.SubscribeURL, "http")+"/v1/ws", nil)
	if err != nil {
		t.Fatalf("a client that offers none: %v", err)
	}
	defer func() { _ = conn.Close() }()
	if _, ok := res.Header["Sec-Websocket-Protocol"]; ok {
		t.Error("a client that offered none must not be told of one")
	}
	if _, frame, err := conn.ReadMessage(); err != nil || !strings.Contains(string(frame), `"welcome"`) {
		t.Errorf("got %s, %v: want a welcome", frame, err)
	}
	refused := s.DialRefused(t, http.Header{"Sec-Websocket-Protocol": {"mqtt, msgq.v2"}})
	checkProblem(t, refused, http.StatusBadRequest, "invalid_request")
}

func TestPageOfAnotherSiteMustNotConnect(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--allowed-origins=https://app.example.com"}})
	for _, origin := range []string{"https://evil.example.com", "null", strings.Replace(s.SubscribeURL, "http", "https", 1)} {
		t.Run(origin, func(t *testing.T) {
			checkProblem(t, s.DialRefused(t, http.Header{"Origin": {origin}}), http.StatusForbidden, "forbidden")
		})
	}
	for _, origin := range []string{s.SubscribeURL, "https://app.example.com"} {
		s.Dial(t, http.Header{"Origin": {origin}})
	}
}

func TestRequestThatIsNoWebSocketIsAProblem(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/ws", ""), http.StatusBadRequest, "invalid_request")
}

func TestBadFramesEndTheConnectionWithTheirCode(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const ping = `{"type":"ping","ref":1}`
	for name, test := range map[string]struct {
		kind  int
		frame string
		code  int
	}{
		"binary":                   {websocket.BinaryMessage, ping, 1003},
		"not UTF-8":                {websocket.TextMessage, "{\"type\":\"ping\",\"ref\":\"\xff\"}", 1007},
		"not JSON":                 {websocket.TextMessage, `{"type":"ping"`, 4400},
		"two objects on one line":  {websocket.TextMessage, ping + ping, 4400},
		"an object over two lines": {websocket.TextMessage, "{\n" + ping[1:], 4400},
		"a byte over 64 KiB":       {websocket.TextMessage, ping + strings.Repeat(" ", 64<<10-len(ping)+1), 1009},
		"1 MiB":                    {websocket.TextMessage, ping + strings.Repeat(" ", 1<<20), 1009},
		"nothing but errors":       {websocket.TextMessage, strings.Repeat(`{"type":"x"}`+"\n", 5000), 4400},
	} {
		t.Run(name, func(t *testing.T) {
			ws := s.Dial(t, nil)
			if err := ws.Conn.WriteMessage(test.kind, []byte(test.frame)); err != nil {
				t.Fatal(err)
			}
			if code := ws.CloseCode(); code != test.code {
				t.Errorf("close code %d, want %d", code, test.code)
			}
		})
	}
	ws := s.Dial(t, nil)
	ws.SendText(ping + strings.Repeat(" ", 64<<10-len(ping)))
	if f := ws.Next(); f.Type != "pong" {
		t.Errorf("64 KiB: got %s, want a pong", f.Raw)
	}
}

func TestJSONThatIsNoObjectIsAnErrorOrEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for _, text := range []string{`[]`, `"ping"`, `1`, `null`, `true`} {
		t.Run(text, func(t *testing.T) {
			ws := s.Dial(t, nil)
			ws.SendText(text + "\n" + `{"type":"ping"}`)
			if f := ws.Next(); f.Type != "error" {
				t.Errorf("got %s, want an error", f.Raw)
			}
			if f := ws.Next(); f.Type != "pong" {
				t.Errorf("got %s, want the connection to go on", f.Raw)
			}
		})
	}
}

func TestConnectionsPastTheLimitAreClosed(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it closes what was forgotten
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--max-connections=1"}})
	first := s.Dial(t, nil)
	url := "ws" + strings.TrimPrefix(s.SubscribeURL, "http") + "/v1/ws"
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(msgqtest.Timeout))
	if _, frame, err := conn.ReadMessage(); !websocket.IsCloseError(err, 4429) {
		t.Fatalf("got %s, %v: want close code 4429", frame, err)
	}
	if err := seen.close(4429); err != nil {
		t.Error(err)
	}
	_ = conn.NetConn().SetReadDeadline(time.Now().Add(5 * time.Second)) // a close takes the server 1 s at most
	if _, err := conn.NetConn().Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the close frame: %v, want the server to end the connection", err)
	}
	first.Send(object{"type": "ping"})
	first.WaitType("pong")
	_ = first.Conn.Close()
	msgqtest.Eventually(t, "there is room again", func() bool {
		next, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = next.Close() }()
		_ = next.SetReadDeadline(time.Now().Add(msgqtest.Timeout))
		_, _, err = next.ReadMessage()
		return err == nil
	})
}
