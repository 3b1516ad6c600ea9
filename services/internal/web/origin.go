package web

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// AllowOrigin reports whether a page of this origin may use the service: its
// own, scheme included, and the allowed ones. A request without an origin comes
// from no page.
func AllowOrigin(r *http.Request, allowed []string) bool {
	origins := r.Header.Values(echo.HeaderOrigin)
	if len(origins) == 0 {
		return true
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return len(origins) == 1 && (origins[0] == scheme+"://"+r.Host || slices.Contains(allowed, origins[0]))
}

// checkOrigin keeps pages on other sites from publishing or reading in the name of their visitors.
func checkOrigin(allowed []string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !AllowOrigin(c.Request(), allowed) {
				return problem.New(http.StatusForbidden, "forbidden",
					"The page's origin may not use this service; MSGQ_ALLOWED_ORIGINS lists those that may.")
			}
			return next(c)
		}
	}
}

// shareWith lets pages of the allowed origins read answers, and ask first whether they may
// send a request, as browsers do for most of them. For use behind checkOrigin.
func shareWith(allowed []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper:         func(c echo.Context) bool { return c.Request().Header.Get(echo.HeaderOrigin) == "" },
		AllowOriginFunc: func(origin string) (bool, error) { return slices.Contains(allowed, origin), nil },
		ExposeHeaders:   []string{echo.HeaderRetryAfter, echo.HeaderXRequestID},
		MaxAge:          600, // seconds
	})
}
