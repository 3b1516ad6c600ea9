package httpapi

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// readBody reads the data, at most the allowed size of it.
func (a *API) readBody(c echo.Context, contentType string) ([]byte, error) {
	limit := a.MaxBody
	if broker := a.Client.MaxData(); broker > 0 {
		limit = min(limit, broker)
	}
	req := c.Request()
	if req.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var body io.Reader = http.MaxBytesReader(c.Response(), req.Body, limit)
	switch encoding := strings.ToLower(req.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, badRequest("invalid_request", "The body is no gzip, which Content-Encoding says it is.")
		}
		body = unzipped
	default:
		return nil, problem.New(http.StatusUnsupportedMediaType, "unsupported_encoding",
			fmt.Sprintf("Content-Encoding %q: only gzip is understood.", encoding))
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), int64(len(data)) > limit:
		return nil, tooLarge(limit)
	case err != nil:
		return nil, badRequest("invalid_request", "The body could not be read to its end.")
	}
	return data, checkJSON(contentType, data)
}

func tooLarge(limit int64) error {
	return problem.New(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The data is larger than %d bytes.", limit))
}

// checkJSON refuses a body that says it is JSON and is not. Text that is not
// UTF-8 passes json.Valid, and makes a browser close its socket.
func checkJSON(contentType string, data []byte) error {
	if media, _, _ := mime.ParseMediaType(contentType); media != "application/json" {
		return nil
	}
	if !utf8.Valid(data) {
		return badRequest("invalid_json", "The body says application/json and is not UTF-8.")
	}
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return badRequest("invalid_json", fmt.Sprintf("The body says application/json and is not, at byte %d: %s.", syntax.Offset, syntax))
	}
	return err
}
