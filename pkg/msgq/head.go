package msgq

import (
	"context"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// Head opens a reader of everything that comes from now on, for a program that
// hands messages on to many live subscriptions: instead of each of them one reader
// takes every message, with the filters of all that hold for it, see [Batch.Filters].
// A subscription leaves the head to it with [LiveSubscription.Handover] and goes on by
// itself with [LiveSubscription.Resume]. Close it as any other. Errors: [ErrUnavailable].
func (c *Client) Head(ctx context.Context) (*LiveSubscription, error) {
	s, err := c.Live(ctx, Live{Topics: []string{">"}})
	if err != nil {
		return nil, err
	}
	s.head = true
	return s, nil
}

// Filters are those of the client's live subscriptions that hold for the i-th message of a
// [Client.Head]'s batch, in no order; see [LiveSubscription.Filter]. They are evaluated
// once for the message, unless others came since.
func (b Batch) Filters(i int) []*filter.Entry { return b.filters.holding(b.entries[i]) }

// Filter is what the subscription's filter is known by, nil where it has none.
func (s *LiveSubscription) Filter() *filter.Entry { return s.filter }

// Handover is the position behind which a [Client.Head] may deliver in the
// subscription's place. ok is false while the subscription still looks for the first
// message of the time that it starts at.
func (s *LiveSubscription) Handover() (pos Position, ok bool) { return s.pos, s.since.IsZero() }

// Resume goes on behind a position up to which somebody else delivered.
func (s *LiveSubscription) Resume(pos Position) { s.pos = pos }

// holding evaluates all filters, those that came after an earlier evaluation too.
func (f *filters) holding(e *entry) []*filter.Entry {
	if m := e.verdict.matches.Load(); m != nil && f.index.Current(m) {
		return m.Entries()
	}
	e.verdict.mu.Lock()
	defer e.verdict.mu.Unlock()
	return f.evaluate(e).Entries()
}
