package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// forwardTo passes requests on to the publish service, so that the dashboard
// publishes from its own origin. That origin was checked here.
func forwardTo(publishURL string) (echo.HandlerFunc, error) {
	target, err := url.Parse(publishURL)
	if err != nil {
		return nil, fmt.Errorf("MSGQ_PUBLISH_URL: %w", err)
	}
	return func(c echo.Context) error {
		var failed error
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.Out.Header.Del(echo.HeaderOrigin)
				r.Out.Header.Set(echo.HeaderXRequestID, c.Response().Header().Get(echo.HeaderXRequestID))
			},
			ModifyResponse: func(r *http.Response) error {
				r.Header.Del(echo.HeaderXRequestID) // ours is the same
				return nil
			},
			ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
		}
		proxy.ServeHTTP(c.Response(), c.Request())
		var large *http.MaxBytesError
		switch {
		case failed == nil:
			return nil
		case errors.As(failed, &large):
			return failed
		}
		return problem.New(http.StatusServiceUnavailable, "broker_unavailable",
			"The publish service cannot be reached; MSGQ_PUBLISH_URL says where it is looked for.")
	}, nil
}
