package auth

import (
	"strings"

	"github.com/labstack/echo/v4"
)

// Middleware lets in whoever has a token, wherever it matters. WebSockets may bring theirs later.
func (v *Verifier) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	if !v.Required() {
		return next
	}
	return func(c echo.Context) error {
		path := c.Request().URL.Path
		if !strings.HasPrefix(path, "/v1/") || path == "/v1/ws" {
			return next(c)
		}
		if _, err := v.Of(c.Request()); err != nil {
			return err
		}
		return next(c)
	}
}

// Admin lets in administrators.
func (v *Verifier) Admin(next echo.HandlerFunc) echo.HandlerFunc {
	return v.Allowing(func(_ echo.Context, g *Grant) error { return g.Administers() })(next)
}

// Allowing lets in those of whom may returns no error.
func (v *Verifier) Allowing(may func(echo.Context, *Grant) error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			grant, err := v.Of(c.Request())
			if err == nil {
				err = may(c, grant)
			}
			if err != nil {
				return err
			}
			return next(c)
		}
	}
}
