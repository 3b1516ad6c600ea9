package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/mediatype"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/rawjson"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

// trusted is how large a body is believed to be before it has come.
const trusted = 64 << 10

// readBody reads at most limit bytes, decoded.
func (a *API) readBody(c echo.Context, share *limit.Share, limit int64) ([]byte, error) {
	req := c.Request()
	sent := asSent(req.Header, limit)
	if req.ContentLength > sent {
		return nil, tooLarge(limit)
	}
	body, err := decoded(req.Header, http.MaxBytesReader(c.Response(), req.Body, sent))
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	if n := req.ContentLength; n > 0 && n <= trusted {
		data.Grow(int(n) + bytes.MinRead) // room to see the end without growing
	}
	if _, err := data.ReadFrom(share.Reader(io.LimitReader(body, limit+1))); err != nil {
		return nil, web.ReadError(err)
	}
	if int64(data.Len()) > limit {
		return nil, tooLarge(limit)
	}
	if err := share.Admit(); err != nil {
		return nil, err
	}
	// The time to read is over, and must not end the request while the broker stores it.
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Time{})
	return data.Bytes(), nil
}

// asSent is how many bytes may come for a limit that holds for what they are decoded: gzip can make
// data longer, by a header and five bytes for each block.
func asSent(h http.Header, limit int64) int64 {
	if h.Get("Content-Encoding") == "" {
		return limit
	}
	return 2*limit + 64<<10
}

// decoded undoes the Content-Encoding.
func decoded(h http.Header, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(strings.Join(h.Values("Content-Encoding"), ", ")); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.EOF) {
			return nil, badRequest("invalid_request", "The body is no gzip, which Content-Encoding says it is.")
		}
		if err != nil {
			return nil, web.ReadError(err)
		}
		return unzipped, nil
	default:
		return nil, problem.New(http.StatusUnsupportedMediaType, "unsupported_encoding",
			fmt.Sprintf("Content-Encoding %.100q: only gzip is understood.", encoding))
	}
}

func tooLarge(limit int64) error {
	return problem.New(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The data is larger than %d bytes.", limit))
}

// checkJSON refuses data that says it is JSON and is not.
func checkJSON(contentType string, data []byte) error {
	if mediatype.Of(contentType) != mediatype.JSON {
		return nil
	}
	if err := rawjson.Check(data); err != nil {
		return badRequest("invalid_json", fmt.Sprintf("The data says application/json and is not: %v.", err))
	}
	return nil
}
