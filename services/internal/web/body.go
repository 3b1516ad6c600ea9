package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// Lasting is the request's context, but for its end: a client that has left, or sends no more and may still read the answer, is
// no reason to leave what it sent half done. It is not for what is done only as long as the client is there.
func Lasting(c echo.Context) context.Context { return context.WithoutCancel(c.Request().Context()) }

// ReadError is the answer where a body could not be read.
func ReadError(err error) error {
	var known *problem.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &large):
		return problem.New(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The body is larger than %d bytes.", large.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(http.StatusBadRequest, "invalid_request", "The body came too slowly.")
	}
	return problem.New(http.StatusBadRequest, "invalid_request", "The body could not be read to its end.")
}
