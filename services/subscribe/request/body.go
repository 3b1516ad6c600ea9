package request

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/web"
)

// bodyTime is how long a client may take to send a body. The server has no such limit, for the sake of streams and long pulls.
const bodyTime = 15 * time.Second

// Body is the request's. Where it does not come whole and in time, the error of reading it is the answer 400.
func Body(c echo.Context) io.ReadCloser {
	control := http.NewResponseController(c.Response().Writer) // not echo's, which may be another's when a forwarded body ends
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))      // where there is none, there is no slow client
	return body{c.Request().Body, control}
}

type body struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read is io.Reader's.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) { // now time belongs to us
		_ = b.control.SetReadDeadline(time.Time{})
		return n, err
	}
	return n, web.ReadError(err)
}
