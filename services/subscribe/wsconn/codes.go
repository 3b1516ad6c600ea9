package wsconn

import (
	"errors"
	"net/http"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// Close codes. Clients do not reconnect by themselves after 44xx other than 4408 and 4429.
const (
	closeShutdown        = 1001
	closeBinary          = 1003
	closeNotUTF8         = 1007
	closeTooBig          = 1009
	closeInternal        = 1011
	closeBadFrames       = 4400 // not JSON, or too many errors
	closeUnauthenticated = 4401 // or the token has expired
	closeForbidden       = 4403
	closeNoAuth          = 4408
	closeOverLimit       = 4429
	closeBrokerGone      = 4503
	closeStalled         = 4508
)

// codedError is an error that the client is told in these words.
type codedError struct {
	code      string
	message   string
	retryable bool
}

func (e *codedError) Error() string { return e.message }

func badRequest(message string) error { return &codedError{code: "bad_request", message: message} }

var codes = []struct {
	is   error
	code string
}{
	{msgq.ErrInvalidTopic, "invalid_topic"},
	{msgq.ErrInvalidFilter, "invalid_filter"},
	{msgq.ErrInvalidFrom, "invalid_from"},
	{msgq.ErrInvalidQueue, "bad_request"},
	{msgq.ErrQueueForced, "forbidden"},
	{msgq.ErrQueueMismatch, "queue_mismatch"},
	{msgq.ErrTooManyQueues, "limit_exceeded"},
	{msgq.ErrTooManyFilters, "limit_exceeded"},
	{msgq.ErrSettled, "unknown_tag"},
	{msgq.ErrQueueNotFound, "unknown_id"},
}

// coded finds what a client is told of an error; the broker's text is not for clients.
func coded(err error) *codedError {
	if known, ok := errors.AsType[*codedError](err); ok {
		return known
	}
	if refused, ok := errors.AsType[*problem.Error](err); ok { // of a token
		if refused.Status == http.StatusServiceUnavailable {
			return &codedError{code: "internal", message: refused.Detail, retryable: true}
		}
		return &codedError{code: refused.Code, message: refused.Detail}
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return &codedError{code: c.code, message: err.Error()}
		}
	}
	if errors.Is(err, msgq.ErrUnavailable) || errors.Is(err, msgq.ErrStreamFull) {
		return &codedError{code: "broker_unavailable", message: "the broker cannot be reached or did not answer in time", retryable: true}
	}
	return &codedError{code: "internal", message: "something went wrong here", retryable: true}
}
