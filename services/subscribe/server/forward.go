package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
)

// forwardTimeout bounds the wait for an answer; the publish service gives one within 5 s.
const forwardTimeout = 6 * time.Second

// publishes allows what is passed on to whoever may publish it: the publish service may be one that lets everybody in.
func publishes(c echo.Context, g *auth.Grant) error {
	topic := strings.TrimSuffix(strings.TrimPrefix(c.Request().URL.Path, "/v1/topics/"), "/messages")
	if err := msgq.ValidateTopic(topic); err != nil { // of dots and slashes others may make another path
		return err
	}
	return g.Publishes(topic)
}

// forwardTo passes requests on to the publish service, so that the dashboard
// publishes from its own origin. That origin was checked here.
func forwardTo(publishURL string) (echo.HandlerFunc, error) {
	target, err := url.Parse(publishURL)
	if err != nil {
		return nil, fmt.Errorf("MSGQ_PUBLISH_URL: %w", err)
	}
	transport := &http.Transport{ResponseHeaderTimeout: forwardTimeout, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	return func(c echo.Context) error {
		var failed error
		proxy := &httputil.ReverseProxy{
			Transport: transport,
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
		r := c.Request().WithContext(web.Lasting(c))
		r.Body = request.Body(c)
		proxy.ServeHTTP(c.Response(), r)
		if failed == nil || errors.As(failed, new(*problem.Error)) {
			return failed
		}
		return problem.New(http.StatusServiceUnavailable, "broker_unavailable",
			"The publish service cannot be reached; MSGQ_PUBLISH_URL says where it is looked for.")
	}, nil
}
