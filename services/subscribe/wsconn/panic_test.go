package wsconn

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/subscribe/connections"
)

// defective panics when a queue is joined.
type defective struct{}

func (defective) Join(context.Context, msgq.Queue, int) (*msgq.Member, error) { panic("a defect") }
func (defective) Epoch() string                                               { return "e" }
func (defective) Outage() time.Duration                                       { return 0 }

func TestDefectEndsItsConnectionWith1011AndNoOther(t *testing.T) {
	var log bytes.Buffer
	h := New(Options{Source: defective{}, Auth: &auth.Verifier{}, Log: slog.New(slog.NewTextHandler(&log, nil)), ClientBuffer: 4096, Slots: semaphore.NewWeighted(2), Connections: new(connections.List), Registry: prometheus.NewRegistry()})
	e := echo.New()
	e.GET("/", h.Serve)
	server := httptest.NewServer(e)
	defer server.Close()
	defer h.Shutdown()
	var conns [2]*websocket.Conn
	for i := range conns {
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, frame, err := conn.ReadMessage(); err != nil {
			t.Fatalf("%s %v, want the welcome", frame, err)
		}
		conns[i] = conn
	}
	send := func(conn *websocket.Conn, text string) (answer []byte, err error) {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, answer, err = conn.ReadMessage()
		return answer, err
	}
	if answer, err := send(conns[0], `{"type":"subscribe","id":"s","queue":"q","topics":["a"]}`); !websocket.IsCloseError(err, 1011) {
		t.Errorf("%s %v, want close code 1011", answer, err)
	}
	if answer, err := send(conns[1], `{"type":"ping"}`); err != nil || !bytes.Contains(answer, []byte("pong")) {
		t.Errorf("the other connection: %s %v, want a pong", answer, err)
	}
}
