package fanout

import (
	"context"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// Source is where messages come from; see [FromClient].
type Source interface {
	// Live opens a reader for one subscription.
	Live(ctx context.Context, l msgq.Live) (Reader, error)
	// Head opens a reader of everything that comes from now on.
	Head(ctx context.Context) (Head, error)
}

// Reader reads for one subscription that is not level. *msgq.LiveSubscription is one.
type Reader interface {
	Next(ctx context.Context) (msgq.Batch, error)
	Position() msgq.Position
	Recovered() bool
	Skip() msgq.Position
	Handover() (pos msgq.Position, ok bool)
	Resume(pos msgq.Position)
	Filter() *filter.Entry
	Close()
}

// Head reads everything, in order.
type Head interface {
	// Wait waits until Next has a batch, or ctx ends.
	Wait(ctx context.Context) error
	Next(ctx context.Context) (Batch, error)
	Position() msgq.Position
	Close()
}

// Batch is one step of a Head.
type Batch struct {
	Messages []*msgq.Message
	// Filters are those that hold for the i-th message, of all subscriptions that are open.
	Filters func(i int) []*filter.Entry
	// Position behind all messages.
	Position msgq.Position
	// Reset: something may lie between the last batch and this one.
	Reset bool
}

// FromClient is the source that production uses.
func FromClient(c *msgq.Client) Source { return client{c} }

type client struct{ *msgq.Client }

func (c client) Live(ctx context.Context, l msgq.Live) (Reader, error) {
	r, err := c.Client.Live(ctx, l)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c client) Head(ctx context.Context) (Head, error) {
	r, err := c.Client.Head(ctx)
	if err != nil {
		return nil, err
	}
	return head{r}, nil
}

type head struct{ *msgq.LiveSubscription }

func (h head) Next(ctx context.Context) (Batch, error) {
	b, err := h.LiveSubscription.Next(ctx)
	return Batch{Messages: b.Messages, Filters: b.Filters, Position: b.Position, Reset: b.Reset}, err
}
