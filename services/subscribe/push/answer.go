package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// outcome is what an answer means for the message: 2xx acknowledges, 410 rejects,
// anything else is retried, after Retry-After where that is given.
func outcome(res *http.Response, now time.Time) error {
	err := fmt.Errorf("the webhook answered %d", res.StatusCode)
	switch {
	case res.StatusCode >= 200 && res.StatusCode <= 299:
		return nil
	case res.StatusCode == http.StatusGone:
		return msgq.Permanent(err)
	}
	if delay, ok := retryAfter(res.Header.Get("Retry-After"), now); ok {
		return msgq.RetryAfter(delay, err)
	}
	return err
}

// lives is what an answer means for the endpoint: most of 4xx say that it is well
// and does not like this message.
func lives(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 200 && status <= 299 || status >= 400 && status <= 499
}

// maxRetryAfter bounds what a webhook may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads seconds or an HTTP date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	seconds, err := strconv.Atoi(value)
	if (err == nil || errors.Is(err, strconv.ErrRange)) && seconds >= 0 { // out of range it is the greatest number
		return min(time.Duration(min(seconds, 1e6))*time.Second, maxRetryAfter), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(0, at.Sub(now)), maxRetryAfter), true
}

// reasonOf says why there was no answer, without the URL, which may hold a
// secret, and without addresses: it is kept in dead letters.
func reasonOf(err error) error {
	const unreachable = "the webhook could not be reached"
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP):
		return errors.New(unreachable + ": its address is private or reserved, and MSGQ_PUSH_PRIVATE is not set")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("the webhook did not answer in time")
	case errors.Is(err, context.Canceled):
		return errors.New("the request was cut short by a stop of the service")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New(unreachable + ": connection refused")
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(unreachable + ": its host name does not resolve")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New(unreachable + ": its certificate is not valid")
	}
	return errors.New(unreachable)
}
