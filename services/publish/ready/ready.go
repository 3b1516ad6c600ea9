// Package ready tells whether messages can be stored: it looks at the broker,
// and after a storage error stores a probe message before it says so again.
package ready

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// Client is a *msgq.Client whose storage errors are noted.
type Client struct {
	*msgq.Client
	Log *slog.Logger

	failed  atomic.Bool
	probing sync.Mutex // one probe at a time
}

// Why messages cannot be stored although the broker is there.
var (
	errDenied error = problem.New(http.StatusServiceUnavailable, "broker_unavailable",
		"Not ready: the broker did not answer a publish; does this service have the permission to, and the cluster a majority?")
	errNotStored error = problem.New(http.StatusServiceUnavailable, "broker_unavailable",
		"Not ready: the broker does not store messages; is its cluster without a majority, or its disk full? "+
			"With room again, it has to be restarted.")
)

// Check reports whether messages can flow now.
func (c *Client) Check(ctx context.Context) error {
	if err := c.Client.Check(ctx); err != nil {
		return err
	}
	if err := c.CanPublish(ctx); err != nil {
		return errors.Join(errDenied, err)
	}
	if !c.failed.Load() {
		return nil
	}
	return c.probe(ctx)
}

// probe stores a message before it says that messages can be stored again.
func (c *Client) probe(ctx context.Context) error {
	c.probing.Lock()
	defer c.probing.Unlock()
	if !c.failed.Load() {
		return nil
	}
	c.failed.Store(false) // before the probe: an error during it counts
	err := c.Probe(ctx)
	if err == nil {
		c.Log.Info("ready again: a probe message was stored")
		return nil
	}
	c.failed.Store(true)
	if errors.Is(err, msgq.ErrStreamFull) {
		return err
	}
	return errors.Join(errNotStored, err)
}

func (c *Client) note(err error) {
	if err == nil || !errors.Is(err, msgq.ErrUnavailable) && !errors.Is(err, msgq.ErrStreamFull) {
		return
	}
	if !c.failed.Swap(true) {
		c.Log.Warn("not ready until a probe message is stored", "error", err)
	}
}

// Publish is the library's.
func (c *Client) Publish(ctx context.Context, m msgq.Message, opts ...msgq.PublishOption) (msgq.Receipt, error) {
	r, err := c.Client.Publish(ctx, m, opts...)
	c.note(err)
	return r, err
}

// PublishBatch is the library's.
func (c *Client) PublishBatch(ctx context.Context, items []msgq.BatchItem) []msgq.BatchResult {
	results := c.Client.PublishBatch(ctx, items)
	for _, r := range results {
		c.note(r.Err)
	}
	return results
}

// PublishAtomic is the library's.
func (c *Client) PublishAtomic(ctx context.Context, items []msgq.BatchItem) ([]msgq.Receipt, error) {
	receipts, err := c.Client.PublishAtomic(ctx, items)
	c.note(err)
	return receipts, err
}
