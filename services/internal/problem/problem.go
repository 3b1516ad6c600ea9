// Package problem turns errors into RFC 9457 problem details, in one place.
package problem

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Error is an error with an answer of its own. Its text is shown to the client.
type Error struct {
	Status int
	Code   string
	Detail string
}

func (e *Error) Error() string { return e.Detail }

// New is an answer that no error of the library stands for.
func New(status int, code, detail string) *Error {
	return &Error{Status: status, Code: code, Detail: detail}
}

type rule struct {
	is     error
	status int
	code   string
	detail string // shown instead of the error's text, which may name the broker's
}

// clientLeft is a status that no client sees, but for one that has closed its sending side only; nginx's name for it.
const clientLeft = 499

// rules are looked through in order.
var rules = []rule{
	{context.Canceled, clientLeft, "client_closed_request", "The client left before it was answered."},
	{msgq.ErrInvalidTopic, http.StatusBadRequest, "invalid_topic", ""},
	{msgq.ErrInvalidID, http.StatusBadRequest, "invalid_id", ""},
	{msgq.ErrInvalidHeader, http.StatusBadRequest, "invalid_header", ""},
	{msgq.ErrInvalidFilter, http.StatusBadRequest, "invalid_filter", ""},
	{msgq.ErrInvalidFrom, http.StatusBadRequest, "invalid_from", ""},
	{msgq.ErrInvalidQueue, http.StatusBadRequest, "invalid_request", ""},
	{msgq.ErrInvalidTTL, http.StatusUnprocessableEntity, "invalid_ttl", ""},
	{msgq.ErrInvalidDelay, http.StatusUnprocessableEntity, "invalid_delay", ""},
	{msgq.ErrIDReused, http.StatusUnprocessableEntity, "id_reused", ""},
	{msgq.ErrQueueForced, http.StatusForbidden, "forbidden", "The queue was created with another filter than the token has."},
	{msgq.ErrQueueMismatch, http.StatusConflict, "queue_mismatch", ""},
	{msgq.ErrInvalidTag, http.StatusNotFound, "unknown_tag", ""},
	{
		msgq.ErrSettled, http.StatusConflict, "unknown_tag",
		"It was settled before, or its queue was sought or made anew, or retention took the message.",
	},
	{msgq.ErrTooManyQueues, http.StatusConflict, "limit_exceeded", ""},
	{msgq.ErrTooManyFilters, http.StatusServiceUnavailable, "overloaded", ""},
	{msgq.ErrQueueNotFound, http.StatusNotFound, "not_found", ""},
	{msgq.ErrNotFound, http.StatusNotFound, "not_found", ""},
	{msgq.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", ""},
	{msgq.ErrStreamFull, http.StatusServiceUnavailable, "stream_full", "The stream is full and refuses messages."},
	{msgq.ErrUnavailable, http.StatusServiceUnavailable, "broker_unavailable", "The broker cannot be reached or did not answer in time."},
}

// routed are what the router and the HTTP library refuse by themselves.
var routed = map[int]struct{ code, detail string }{
	http.StatusBadRequest:            {"invalid_request", "The request cannot be understood."},
	http.StatusForbidden:             {"forbidden", "This is not allowed."},
	http.StatusNotFound:              {"not_found", "There is nothing at this path; /openapi.yaml lists what there is."},
	http.StatusMethodNotAllowed:      {"method_not_allowed", "The path does not take this method; Allow lists those that it takes."},
	http.StatusRequestEntityTooLarge: {"too_large", "The body is larger than allowed."},
}

// Of finds the answer for an error. What is not known is a 500 without details.
func Of(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	for _, r := range rules {
		if errors.Is(err, r.is) {
			detail := r.detail
			if detail == "" {
				detail = err.Error()
			}
			return New(r.status, r.code, detail)
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(http.StatusRequestEntityTooLarge, "too_large", "The body is larger than allowed.")
	}
	if refused, ok := errors.AsType[*echo.HTTPError](err); ok {
		if answer, ok := routed[refused.Code]; ok {
			return New(refused.Code, answer.code, answer.detail)
		}
	}
	return New(http.StatusInternalServerError, "internal", "Something went wrong here; the log has it under the request id.")
}
