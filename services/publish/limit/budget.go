// Package limit keeps the publish service's memory and its callers' rates within bounds.
package limit

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

const (
	// BudgetBytes is what all requests in flight may hold together.
	BudgetBytes = 256 << 20
	// requestBytes is what a request counts for when its body was read, so
	// that 4,096 can be in flight: at 10,000 a second, a wait of 0.4 s.
	requestBytes = 64 << 10
	// slowBytes is what it counts for until then: one client with many slow bodies must not keep others out.
	slowBytes = 4 << 10 // and its headers
	zipBytes  = 48 << 10
)

// ErrOverloaded is the answer to a request beyond the budget. It comes at once,
// because a queue of requests would only make every answer late.
var ErrOverloaded error = problem.New(http.StatusServiceUnavailable, "overloaded", "Too many requests are in flight; try again soon.")

// Budget bounds the memory of the requests in flight.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget has this many bytes to give.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

func (b *Budget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	return false
}

// Enter admits a request with these headers, or returns [ErrOverloaded]. Its share must be left.
func (b *Budget) Enter(h http.Header) (*Share, error) {
	held := int64(slowBytes)
	if h.Get("Content-Encoding") != "" {
		held += zipBytes
	}
	for _, values := range h {
		for _, value := range values {
			held += int64(len(value))
		}
	}
	if !b.take(held) {
		return nil, ErrOverloaded
	}
	return &Share{budget: b, held: held}, nil
}

// Share is what one request holds. It is for one goroutine.
type Share struct {
	budget *Budget
	read   int64
	held   int64 // until it is left
}

// Admit is for a request whose body was read. The error is [ErrOverloaded].
func (s *Share) Admit() error { return s.Keep(requestBytes - s.held) }

// Keep takes n bytes more until the share is left; less than one are none. The error is [ErrOverloaded].
func (s *Share) Keep(n int64) error {
	if n < 1 {
		return nil
	}
	if !s.budget.take(n) {
		return ErrOverloaded
	}
	s.held += n
	return nil
}

// Leave gives all of it back.
func (s *Share) Leave() {
	s.Release()
	s.budget.used.Add(-s.held)
	s.held = 0
}

// Release gives back what was read up to now.
func (s *Share) Release() {
	s.budget.used.Add(-s.read)
	s.read = 0
}

// Reader counts what is read of r; beyond the budget it fails with [ErrOverloaded].
func (s *Share) Reader(r io.Reader) io.Reader { return &counted{r, s} }

type counted struct {
	io.Reader
	share *Share
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if !c.share.budget.take(int64(n)) {
		return 0, errors.Join(ErrOverloaded, err)
	}
	c.share.read += int64(n)
	return n, err
}
