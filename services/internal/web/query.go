package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// checkQuery refuses a query that cannot be read as a whole: the rest would be read without what is malformed, such as a
// filter that has a % or a semicolon.
func checkQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := url.ParseQuery(c.Request().URL.RawQuery); err != nil {
			return problem.New(http.StatusBadRequest, "invalid_request", "The query is malformed: % is written %25 there, and ; %3B.")
		}
		return next(c)
	}
}
