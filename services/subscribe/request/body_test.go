package request_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
)

// writer is a response whose request comes over conn.
type writer struct {
	*httptest.ResponseRecorder
	conn  net.Conn
	until time.Time
}

func (w *writer) SetReadDeadline(at time.Time) error {
	w.until = at
	return w.conn.SetReadDeadline(at)
}

func read(t *testing.T, send func(client net.Conn)) (until time.Time, err error) {
	t.Helper()
	server, client := net.Pipe()
	defer server.Close()
	go send(client)
	defer client.Close()
	w := &writer{httptest.NewRecorder(), server, time.Now()}
	c := echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/", server), w)
	err = request.ReadBody(c, 1024, new(struct{}), "an object")
	return w.until, err
}

func TestBodyThatDoesNotComeIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := read(t, func(client net.Conn) { _, _ = client.Write([]byte("{")) })
		if p := problem.Of(err); p.Status != http.StatusBadRequest || p.Code != "invalid_request" {
			t.Errorf("%d %s, want 400 invalid_request", p.Status, p.Code)
		}
	})
}

func TestTimeForTheBodyDoesNotEndTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until, err := read(t, func(client net.Conn) {
			_, _ = client.Write([]byte("{}"))
			_ = client.Close()
		})
		if err != nil || !until.IsZero() {
			t.Errorf("%v, and reading ends at %s", err, until)
		}
	})
}

func TestNullIsNoObject(t *testing.T) {
	t.Parallel()
	c := echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(" null\n")), httptest.NewRecorder())
	err := request.ReadOptional(c, 1024, new(struct{}), "an object")
	if p := problem.Of(err); p.Code != "invalid_request" || !strings.Contains(p.Detail, "null") {
		t.Errorf("%v, want to be told of null", err)
	}
}
