package msgq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
)

// MaxAtomic is how many messages [Client.PublishAtomic] takes.
const MaxAtomic = maxGroup

// PublishAtomic stores all items or none, at most [MaxAtomic], none of them
// delayed. Those that were stored before, or are there twice, with equal data count as duplicates,
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
	firsts, err := firstOf(all)
	if err != nil {
		return nil, err
	}
	fresh := slices.Compact(slices.Sorted(slices.Values(firsts)))
	for len(fresh) > 0 {
		rest := make([]*nats.Msg, len(fresh))
		for i, index := range fresh {
			rest[i] = all[index].msg
		}
		first, err := c.publisher.storeTogether(ctx, rest)
		if err == nil {
			for i, index := range fresh {
				receipts[index] = Receipt{ID: messageID(all[index].msg.Header), Topic: all[index].Topic, Seq: first + uint64(i)}
			}
			break
		}
		if code := apiCode(err); code != codeBatchDuplicate && code != codeInProcess {
			return nil, brokerError("publish", err)
		}
		if fresh, err = c.findDuplicates(ctx, all, fresh, receipts); err != nil {
			return nil, err
		}
	}
	for i, first := range firsts {
		if i != first {
			receipts[i] = receipts[first]
			receipts[i].Duplicate = true
		}
	}
	return receipts, nil
}

// firstOf gives for each item the index of the one that it repeats, or its own.
func firstOf(all []prepared) ([]int, error) {
	first := make([]int, len(all))
	seen := make(map[string]int, len(all))
	for i, p := range all {
		j, repeat := seen[p.key]
		if !repeat || p.key == "" {
			j, seen[p.key] = i, i
		}
		if !bytes.Equal(all[j].Data, p.Data) || all[j].DataContentType != p.DataContentType {
			return nil, &ItemError{Index: i, Err: fmt.Errorf("%w: item %d has the topic %q and the id %q, too, and other data",
				ErrIDReused, j+1, p.Topic, p.ID)}
		}
		first[i] = j
	}
	return first, nil
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
		first, err := c.first(ctx, p, ack.Sequence)
		if errors.Is(err, ErrUnavailable) {
			return nil, err
		}
		if err != nil {
			return nil, &ItemError{Index: index, Err: err}
		}
		receipts[index] = first
	}
	return left, nil
}
