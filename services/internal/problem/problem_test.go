package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

func TestEachErrorHasItsAnswer(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{msgq.ErrInvalidTopic, 400, "invalid_topic"},
		{msgq.ErrInvalidID, 400, "invalid_id"},
		{msgq.ErrInvalidHeader, 400, "invalid_header"},
		{msgq.ErrInvalidFilter, 400, "invalid_filter"},
		{msgq.ErrInvalidFrom, 400, "invalid_from"},
		{msgq.ErrInvalidQueue, 400, "invalid_request"},
		{msgq.ErrInvalidTTL, 422, "invalid_ttl"},
		{msgq.ErrInvalidDelay, 422, "invalid_delay"},
		{msgq.ErrNotFound, 404, "not_found"},
		{msgq.ErrIDReused, 422, "id_reused"},
		{msgq.ErrQueueMismatch, 409, "queue_mismatch"},
		{msgq.ErrTooManyQueues, 409, "limit_exceeded"},
		{msgq.ErrQueueNotFound, 404, "not_found"},
		{msgq.ErrTooLarge, 413, "too_large"},
		{&http.MaxBytesError{Limit: 1}, 413, "too_large"},
		{msgq.ErrStreamFull, 503, "stream_full"},
		{msgq.ErrUnavailable, 503, "broker_unavailable"},
		{problem.New(422, "invalid_delay", "x"), 422, "invalid_delay"},
		{echo.ErrNotFound, 404, "not_found"},
		{echo.ErrMethodNotAllowed, 405, "method_not_allowed"},
		{echo.NewHTTPError(http.StatusTeapot, "secret"), 500, "internal"},
		{context.Canceled, 499, "client_closed_request"},
		{errors.New("secret"), 500, "internal"},
	} {
		got := problem.Of(fmt.Errorf("wrapped: %w", test.err))
		if got.Status != test.status || got.Code != test.code || got.Detail == "" {
			t.Errorf("%v: %+v, want %d %s", test.err, got, test.status, test.code)
		}
		if strings.Contains(got.Detail, "secret") {
			t.Errorf("%v: detail %q tells what is ours", test.err, got.Detail)
		}
	}
}

func serve(t *testing.T, method string, handler echo.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	e := echo.New()
	e.HTTPErrorHandler = problem.Handler(slog.New(slog.DiscardHandler))
	e.Any("/", func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderXRequestID, "request-1")
		return handler(c)
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(method, "/", http.NoBody))
	return w
}

func TestAnswerHasAllFields(t *testing.T) {
	w := serve(t, http.MethodGet, func(echo.Context) error { return msgq.ErrUnavailable })
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "about:blank", "title": "Service Unavailable", "status": 503.0, "code": "broker_unavailable",
		"request_id": "request-1", "detail": got["detail"],
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || got["detail"] == "" {
		t.Errorf("got %v, want %v", got, want)
	}
	h := w.Header()
	if w.Code != 503 || h.Get("Content-Type") != "application/problem+json" || h.Get("Retry-After") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, headers %v", w.Code, h)
	}
}

func TestAnswerToHEADHasNoBody(t *testing.T) {
	w := serve(t, http.MethodHead, func(echo.Context) error { return echo.ErrNotFound })
	if w.Code != http.StatusNotFound || w.Body.Len() != 0 {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
}

func TestAnswerThatHasBegunStaysAsItIs(t *testing.T) {
	w := serve(t, http.MethodGet, func(c echo.Context) error {
		return errors.Join(c.String(http.StatusOK, "begun"), errors.New("cut off"))
	})
	if w.Code != http.StatusOK || w.Body.String() != "begun" {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
}
