package problem

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/moogar0880/problems"
)

// retryAfter is what 503 and 429 answers advise, in seconds.
const retryAfter = "2"

// Handler is echo's error handler. It is the one place that logs failed requests.
func Handler(log *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		e := Of(err)
		id := c.Response().Header().Get(echo.HeaderXRequestID)
		if e.Status >= http.StatusInternalServerError {
			level := slog.LevelWarn
			// An answer that was meant, such as not ready, or a client that has gone away.
			if errors.As(err, new(*Error)) || c.Request().Context().Err() != nil {
				level = slog.LevelDebug
			}
			log.Log(c.Request().Context(), level, "request failed", "status", e.Status, "code", e.Code, "method", c.Request().Method,
				"path", c.Path(), "request_id", id, "error", err)
		}
		if c.Response().Committed {
			return
		}
		if err := write(c, e, id); err != nil {
			log.Debug("answer not written", "request_id", id, "error", err)
		}
	}
}

func write(c echo.Context, e *Error, requestID string) error {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, problems.ProblemMediaType)
	h.Set("Cache-Control", "no-store")
	if e.Status == http.StatusUnauthorized {
		h.Set(echo.HeaderWWWAuthenticate, "Bearer")
	}
	retryable := e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests
	if retryable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", retryAfter)
	}
	c.Response().WriteHeader(e.Status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	return json.NewEncoder(c.Response()).Encode(e.Details(requestID))
}

// Details is what JSON shows: the members of RFC 9457 and two of ours.
func (e *Error) Details(requestID string) any {
	return struct {
		problems.Problem
		Code      string `json:"code"`
		RequestID string `json:"request_id,omitempty"`
	}{*problems.NewDetailedProblem(e.Status, e.Detail), e.Code, requestID}
}
