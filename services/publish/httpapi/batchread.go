package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/rawjson"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

const (
	maxBatch      = 10_000
	maxBatchBytes = 64 << 20 // as it is sent, and decoded
	minBatchRate  = 64 << 10 // bytes a second
)

// maxText is how long one item's text may be: data all of whose characters are
// escaped as \u00XX, and 128 KiB for the rest.
func maxText(data int64) int64 { return 6*data + 128<<10 }

// items reads a batch one value at a time.
type items struct {
	dec    *jsontext.Decoder
	body   *paced
	text   *bounded
	array  bool
	opened bool
}

func (a *API) newItems(c echo.Context, share *limit.Share, array bool) (*items, error) {
	body := &paced{
		body: c.Request().Body, control: http.NewResponseController(c.Response()), most: a.Stall, left: a.Stall, stopping: a.Stopping,
	}
	plain, err := decoded(c.Request().Header, io.LimitReader(body, asSent(c.Request().Header, maxBatchBytes)+1))
	if err != nil {
		return nil, err
	}
	text := &bounded{r: share.Reader(plain), most: maxText(a.maxData())}
	it := &items{dec: jsontext.NewDecoder(text, rawjson.Rules...), body: body, text: text, array: array}
	text.consumed = it.dec.InputOffset
	return it, nil
}

// next returns the next value, valid until it is called again, or io.EOF.
func (it *items) next() (jsontext.Value, error) {
	if it.array && !it.opened {
		it.opened = true
		if token, err := it.dec.ReadToken(); err != nil || token.Kind() != '[' {
			return nil, it.broken(err)
		}
	}
	if it.array && it.dec.PeekKind() == ']' {
		if _, err := it.dec.ReadToken(); err != nil {
			return nil, it.broken(err)
		}
		if _, err := it.dec.ReadToken(); !errors.Is(err, io.EOF) { // something behind the array
			return nil, it.broken(err)
		}
		return nil, io.EOF
	}
	value, err := it.dec.ReadValue()
	if errors.Is(err, io.EOF) && !it.array {
		return nil, io.EOF
	}
	if err != nil {
		return nil, it.broken(err)
	}
	return value, nil
}

// broken says why the text ended early.
func (it *items) broken(err error) error {
	known, ok := errors.AsType[*problem.Error](err)
	_, syntax := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case ok:
		return known
	case errors.Is(err, os.ErrDeadlineExceeded):
		return web.ReadError(err)
	case err == nil || syntax || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		what := "a series of JSON objects"
		if it.array {
			what = "a JSON array"
		}
		return badRequest("invalid_json", fmt.Sprintf("The body is not %s in UTF-8 from byte %d on.", what, it.dec.InputOffset()))
	}
	return web.ReadError(err)
}

// finish reads what is left of a body that was given up, so that its sender
// gets to reading the answer.
func (it *items) finish() { _, _ = io.Copy(io.Discard, io.LimitReader(it.body, maxBatchBytes)) }

// bounded ends a text that is too long, as a whole or in one item.
type bounded struct {
	r        io.Reader
	most     int64 // bytes of one item
	read     int64
	consumed func() int64 // bytes that belong to items before
}

func (b *bounded) Read(p []byte) (int, error) {
	room := b.most + 1 - (b.read - b.consumed())
	switch {
	case b.read > maxBatchBytes:
		return 0, tooLarge(maxBatchBytes)
	case room <= 0:
		return 0, problem.New(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("One message takes more than %d bytes.", b.most))
	}
	n, err := b.r.Read(p[:min(int64(len(p)), room)]) // no more: how the body was cut into packets must not matter
	b.read += int64(n)
	return n, err
}

// paced wants minBatchRate from a body, and lets it stand still for so long as most says.
type paced struct {
	body       io.Reader
	control    *http.ResponseController
	most, left time.Duration
	stopping   context.Context //nolint:containedctx // the service's life; nil: it does not stop
	until      time.Time       // once it stops
}

// stopTime is how long a batch may go on when the service is to stop, which may take 25 s.
const stopTime = 10 * time.Second

var errStopping = problem.New(http.StatusServiceUnavailable, "overloaded", "The service stops: what follows was not tried, send it again.")

// ended reports whether the service stops and has waited for long enough.
func (p *paced) ended(now time.Time) bool {
	if p.stopping == nil || p.stopping.Err() == nil {
		return false
	}
	if p.until.IsZero() {
		p.until = now.Add(stopTime)
	}
	return now.After(p.until)
}

func (p *paced) Read(b []byte) (int, error) {
	start := time.Now()
	if p.ended(start) {
		return 0, errStopping
	}
	_ = p.control.SetReadDeadline(start.Add(p.left)) // where there is none, there is no slow client
	n, err := p.body.Read(b)
	p.left = min(p.most, p.left-time.Since(start)+time.Duration(n)*time.Second/minBatchRate)
	if errors.Is(err, io.EOF) { // now time belongs to us
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
