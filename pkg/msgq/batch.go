package msgq

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxAtomic is how many messages [Client.PublishAtomic] takes.
const MaxAtomic = maxGroup

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
// One that is refused does not keep the others from being stored.
func (c *Client) PublishBatch(ctx context.Context, items []BatchItem) []BatchResult {
	results := make([]BatchResult, len(items))
	run := batchRun{c: c, results: results}
	for i, item := range items {
		p, err := c.prepare(item.Message, item.Options)
		switch {
		case err != nil:
			results[i].Err = err
		case !p.at.IsZero():
			results[i].Receipt, results[i].Err = c.publishLater(ctx, p)
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
}

func (r *batchRun) add(ctx context.Context, index int, p prepared) {
	if r.batch == nil {
		r.batch = r.c.publisher.newAtomicBatch()
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
	for i, result := range r.store(ctx) {
		r.results[r.indexes[i]] = result
	}
	r.batch, r.indexes, r.items, r.bytes = nil, r.indexes[:0], r.items[:0], 0
}

// store has the items stored together, or, where the broker refuses that for one of them, one by one.
func (r *batchRun) store(ctx context.Context) []BatchResult {
	results := make([]BatchResult, len(r.items))
	first, err := r.batch.commit(ctx)
	for i, p := range r.items {
		results[i].Receipt = Receipt{ID: p.ID, Topic: p.Topic, Seq: first + uint64(i)}
	}
	switch {
	case err == nil:
		return results
	case apiCode(err) == 0: // no answer, or none that says that nothing was stored
		for i := range results {
			results[i] = BatchResult{Err: brokerError("publish", err)}
		}
		return results
	}
	return r.c.storeSingly(ctx, r.items)
}

// storeSingly keeps the order: each is sent before the answer to the one before it is there.
func (c *Client) storeSingly(ctx context.Context, items []prepared) []BatchResult {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	futures := make([]jetstream.PubAckFuture, len(items))
	results := make([]BatchResult, len(items))
	for i, p := range items {
		futures[i], results[i].Err = c.js.PublishMsgAsync(p.msg)
	}
	for i, p := range items {
		if results[i].Err != nil {
			results[i].Err = brokerError("publish", results[i].Err)
			continue
		}
		select {
		case ack := <-futures[i].Ok():
			results[i].Receipt, results[i].Err = c.receipt(ctx, p, ack)
		case err := <-futures[i].Err():
			results[i] = c.storeAgain(ctx, p, err)
		case <-ctx.Done():
			results[i].Err = brokerError("publish", ctx.Err())
		}
	}
	return results
}

// storeAgain is for an item that was refused.
func (c *Client) storeAgain(ctx context.Context, p prepared, err error) (result BatchResult) {
	var ack *jetstream.PubAck
	if isInProcess(err) {
		ack, err = c.publishPatiently(ctx, p.msg)
	}
	if err != nil {
		result.Err = brokerError("publish", err)
		return result
	}
	result.Receipt, result.Err = c.receipt(ctx, p, ack)
	return result
}

// PublishAtomic stores all items or none, at most [MaxAtomic], none of them
// delayed. Those that were stored before with equal data count as duplicates,
// and the rest is stored together. The error is of the first item that is
// wrong, and an [*ItemError].
func (c *Client) PublishAtomic(ctx context.Context, items []BatchItem) ([]Receipt, error) {
	if len(items) > MaxAtomic {
		return nil, fmt.Errorf("%w: %d messages, at most %d can be stored atomically", ErrTooLarge, len(items), MaxAtomic)
	}
	all := make([]prepared, len(items))
	for i, item := range items {
		p, err := c.prepare(item.Message, item.Options)
		if err == nil && !p.at.IsZero() {
			err = fmt.Errorf("%w: a delayed message cannot be part of an atomic batch", ErrInvalidDelay)
		}
		if err != nil {
			return nil, &ItemError{Index: i, Err: err}
		}
		all[i] = p
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	return c.storeAtomic(ctx, all)
}

// ItemError says which item of a batch was wrong.
type ItemError struct {
	Index int // from 0
	Err   error
}

func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }
func (e *ItemError) Unwrap() error { return e.Err }

// storeAtomic stores what is not a duplicate. Another process may store one of
// them in between: then the duplicates are looked for again.
func (c *Client) storeAtomic(ctx context.Context, all []prepared) ([]Receipt, error) {
	receipts := make([]Receipt, len(all))
	fresh := make([]int, len(all))
	for i := range all {
		fresh[i] = i
	}
	for {
		rest := make([]*nats.Msg, len(fresh))
		for i, index := range fresh {
			rest[i] = all[index].msg
		}
		first, err := c.publisher.storeTogether(ctx, rest)
		if err == nil {
			for i, index := range fresh {
				receipts[index] = Receipt{ID: all[index].ID, Topic: all[index].Topic, Seq: first + uint64(i)}
			}
			return receipts, nil
		}
		code := apiCode(err)
		if code != codeBatchDuplicate && code != codeInProcess {
			return nil, brokerError("publish", err)
		}
		left, err := c.findDuplicates(ctx, all, fresh, receipts)
		if err != nil {
			return nil, err
		}
		if len(left) == len(fresh) && code == codeBatchDuplicate {
			return nil, fmt.Errorf("%w: two items have the same topic and id", ErrInvalidID)
		}
		if fresh = left; len(fresh) == 0 {
			return receipts, nil
		}
	}
}

// findDuplicates fills in the receipts of those stored before and returns the others.
func (c *Client) findDuplicates(ctx context.Context, all []prepared, fresh []int, receipts []Receipt) ([]int, error) {
	var left []int
	for _, index := range fresh {
		p := all[index]
		ack, err := c.publisher.probe(ctx, p.msg)
		if errors.Is(err, errNotStored) {
			left = append(left, index)
			continue
		}
		if err != nil {
			return nil, brokerError("publish", err)
		}
		if receipts[index], err = c.receipt(ctx, p, ack); err != nil {
			return nil, &ItemError{Index: index, Err: err}
		}
	}
	return left, nil
}
