// Package request reads what requests to the HTTP API have in common: a body of one
// JSON object, and the size of a page.
package request

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// ReadBody reads one JSON object into v; what names the object in the refusal.
// A field that does not exist is refused: a misspelt one would silently do nothing.
func ReadBody(c echo.Context, maxBody int64, v any, what string) error {
	body, err := bodyOf(c, maxBody)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return Bad("The body is not " + what + ": it is empty.")
	}
	return decode(body, v, what)
}

// ReadOptional is ReadBody for an object that may be left out.
func ReadOptional(c echo.Context, maxBody int64, v any, what string) error {
	body, err := bodyOf(c, maxBody)
	if err != nil || len(body) == 0 {
		return err
	}
	return decode(body, v, what)
}

func bodyOf(c echo.Context, maxBody int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), Body(c), maxBody))
	if err != nil {
		return nil, web.ReadError(err)
	}
	return bytes.TrimSpace(body), nil
}

func decode(body []byte, v any, what string) error {
	if string(body) == "null" { // which would leave v as it is
		return Bad("The body is not " + what + ": null is not expected here.")
	}
	if err := wire.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return Bad("The body is not " + what + ": " + wire.Explain(err) + ".")
	}
	return nil
}

const defaultLimit, maxLimit = 100, 1000

// PageLimit is how many entries a page may have.
func PageLimit(c echo.Context) (int, error) {
	text := c.QueryParam("limit")
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, Bad(fmt.Sprintf("limit: %.32q, 1 to %d are allowed.", text, maxLimit))
	}
	return limit, nil
}

// Bad is the answer 400 invalid_request.
func Bad(detail string) error {
	return problem.New(http.StatusBadRequest, "invalid_request", detail)
}
