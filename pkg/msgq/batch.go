package msgq

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// BatchItem is one message of a batch.
type BatchItem struct {
	Message
	Options []PublishOption
}

// BatchResult is what became of one item: a receipt, or an error of [Client.Publish].
type BatchResult struct {
	Receipt
	Err error
}

// PublishBatch stores the items in their order and returns a result for each.
// One that is refused does not keep the others from being stored; once the broker
// does not answer for one, the rest is not tried, and has the same error.
func (c *Client) PublishBatch(ctx context.Context, items []BatchItem) []BatchResult {
	results := make([]BatchResult, len(items))
	most := min(len(items), maxGroup)
	run := batchRun{c: c, results: results, indexes: make([]int, 0, most), items: make([]prepared, 0, most)}
	for i := range items {
		p, err := c.prepare(items[i].Message, items[i].Options)
		switch {
		case err != nil:
			results[i].Err = err
		case run.failed != nil:
			results[i].Err = run.failed
		case !p.at.IsZero():
			run.addDelayed(ctx, i, p)
		default:
			run.add(ctx, i, p)
		}
	}
	run.flush(ctx)
	return results
}

// batchRun gathers items that can be stored together.
type batchRun struct {
	c       *Client
	results []BatchResult
	batch   *atomicBatch // what of it was sent
	indexes []int
	items   []prepared
	bytes   int
	failed  error // the broker does not answer
}

func (r *batchRun) note(result BatchResult) BatchResult {
	if errors.Is(result.Err, ErrUnavailable) {
		r.failed = result.Err
	}
	return result
}

// addDelayed stores the item at once, and what is gathered before: others wait for the place of an open batch.
func (r *batchRun) addDelayed(ctx context.Context, index int, p prepared) {
	r.flush(ctx)
	if r.failed != nil {
		r.results[index].Err = r.failed
		return
	}
	receipt, err := r.c.publishLater(ctx, p)
	r.results[index] = r.note(BatchResult{Receipt: receipt, Err: err})
}

func (r *batchRun) add(ctx context.Context, index int, p prepared) {
	if r.batch == nil {
		var err error
		if r.batch, err = r.c.publisher.newAtomicBatch(ctx); err != nil {
			r.results[index] = r.note(BatchResult{Err: brokerError("publish", err)})
			return
		}
	}
	r.batch.send(p.msg)
	r.indexes = append(r.indexes, index)
	r.items = append(r.items, p)
	r.bytes += p.msg.Size()
	if len(r.items) == maxGroup || r.bytes >= maxGroupBytes {
		r.flush(ctx)
	}
}

func (r *batchRun) flush(ctx context.Context) {
	if len(r.items) == 0 {
		return
	}
	r.store(ctx)
	r.batch, r.indexes, r.items, r.bytes = nil, r.indexes[:0], r.items[:0], 0
}

// store has the items stored together, or, where the broker refuses that for one of them, one by one.
func (r *batchRun) store(ctx context.Context) {
	first, err := r.batch.commit(ctx)
	if isCrowded(err) {
		first, err = r.c.publisher.storeTogether(ctx, messagesOf(r.items))
	}
	switch {
	case err == nil:
		for i, p := range r.items {
			r.results[r.indexes[i]].Receipt = Receipt{ID: messageID(p.msg.Header), Topic: p.Topic, Seq: first + uint64(i)}
		}
	case apiCode(err) == 0: // no answer, or none that says that nothing was stored
		for _, i := range r.indexes {
			r.results[i] = r.note(BatchResult{Err: brokerError("publish", err)})
		}
	default:
		for i, result := range r.c.storeSingly(ctx, r.items) {
			r.results[r.indexes[i]] = r.note(result)
		}
	}
}

func messagesOf(items []prepared) []*nats.Msg {
	msgs := make([]*nats.Msg, len(items))
	for i, p := range items {
		msgs[i] = p.msg
	}
	return msgs
}

// storeSingly keeps the order: each is sent before the answer to the one before it is there.
func (c *Client) storeSingly(ctx context.Context, items []prepared) []BatchResult {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	results := make([]BatchResult, len(items))
	for i, call := range c.publisher.sendAll(items) {
		ack, err := c.publisher.wait(ctx, call, items[i].msg)
		if err != nil {
			results[i].Err = brokerError("publish", err)
			continue
		}
		results[i].Receipt, results[i].Err = c.receipt(ctx, items[i], ack)
	}
	return results
}
