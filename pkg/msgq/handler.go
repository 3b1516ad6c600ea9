package msgq

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"
)

// Handler processes one message of a queue. Nil acknowledges it. An error or a
// panic is a failed attempt: the message comes again after the queue's backoff,
// until MaxAttempts. [Permanent], [RetryAfter], [Release] and [Skip] say otherwise. The
// ack wait does not run out while the handler runs. ctx ends when the
// subscription is stopped, or ends for another cause.
type Handler func(ctx context.Context, d *Delivery) error

// Middleware puts something around a handler: logs, metrics, traces, a deadline.
type Middleware func(Handler) Handler

// JSON makes a handler of a function that takes the decoded data. Data that does
// not decode into a T is a dead letter at once: another attempt would not mend it.
func JSON[T any](handle func(ctx context.Context, value T, d *Delivery) error) Handler {
	return func(ctx context.Context, d *Delivery) error {
		var value T
		if err := json.Unmarshal(d.Data, &value); err != nil {
			return Permanent(fmt.Errorf("decode the data: %w", err))
		}
		return handle(ctx, value, d)
	}
}

// Permanent marks an error that another attempt cannot mend: the message is a dead
// letter at once. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// RetryAfter marks an error after which the next attempt waits d, 0 to 24 h,
// instead of the queue's backoff. A nil error stays nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryError{err, d}
}

type retryError struct {
	error
	delay time.Duration
}

func (e *retryError) Unwrap() error { return e.error }

// Release marks an error that is none of the message's: it comes again at once, here or to another member,
// and this attempt does not count. Nil stays nil.
func Release(err error) error {
	if err == nil {
		return nil
	}
	return &releaseError{err}
}

type releaseError struct{ error }

func (e *releaseError) Unwrap() error { return e.error }

// Skip marks an error that does not matter: the message is acknowledged though
// nothing was done with it, and middleware still sees why. Nil stays nil.
func Skip(err error) error {
	if err == nil {
		return nil
	}
	return &skipError{err}
}

type skipError struct{ error }

func (e *skipError) Unwrap() error { return e.error }

// wrap puts the middleware around h, the first outermost. A panic is an error to
// each of them already, and so is one of their own.
func wrap(h Handler, middleware []Middleware, log *slog.Logger) Handler {
	h = recovered(h, log)
	for _, m := range slices.Backward(middleware) {
		if m != nil {
			h = m(h)
		}
	}
	if len(middleware) == 0 {
		return h
	}
	return recovered(h, log)
}

// PanicError is what a handler that panicked returns to its middleware.
type PanicError struct {
	Value any // of the panic
	Stack string
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap is the value, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// recovered turns a panic into an error.
func recovered(h Handler, log *slog.Logger) Handler {
	return func(ctx context.Context, d *Delivery) (err error) {
		defer func() {
			if r := recover(); r != nil {
				stack := string(debug.Stack())
				log.Error("handler panicked", "queue", d.member.Queue().Name, "seq", d.Seq, "panic", r, "stack", stack)
				err = &PanicError{Value: r, Stack: stack}
			}
		}()
		if err = h(ctx, d); err != nil {
			_ = err.Error() // an error that is a nil pointer panics here, and not where nobody expects it
		}
		return err
	}
}
