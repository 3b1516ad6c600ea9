package push

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfterIsReadAsSecondsOrDate(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, "3": 3 * time.Second, "99999999": maxRetryAfter, "99999999999999999999": maxRetryAfter,
		"Sat, 31 Jan 2026 12:01:00 GMT": time.Minute,
		"Sat, 31 Jan 2026 11:00:00 GMT": 0, "Sat, 31 Jan 2027 11:00:00 GMT": maxRetryAfter,
	} {
		if got, ok := retryAfter(value, now); !ok || got != want {
			t.Errorf("%q: %s, %t, want %s", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "-1", "-99999999999999999999", "soon", "1.5"} {
		if got, ok := retryAfter(value, now); ok {
			t.Errorf("%q is read as %s", value, got)
		}
	}
}

func TestWhichAnswersComeFromAnEndpointThatLives(t *testing.T) {
	for status, want := range map[int]bool{
		200: true, 204: true, 299: true, 400: true, 409: true, 410: true, 422: true,
		301: false, 307: false, 401: false, 403: false, 404: false, 408: false, 429: false, 500: false, 503: false, 599: false,
	} {
		if got := lives(status); got != want {
			t.Errorf("%d %s: %t, want %t", status, http.StatusText(status), got, want)
		}
	}
}
