package msgq

import (
	"context"
	"errors"
	"sort"
	"strconv"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"
)

// chunk bounds one read of the stream's history.
const (
	chunkMessages = 256
	chunkBytes    = 4 << 20
)

// readAfter reads the stream behind seq: the entries, and the position they
// end at. At the end of the stream that is at least head.
func (c *Client) readAfter(ctx context.Context, seq, head uint64) ([]*entry, uint64, error) {
	found, left, err := c.getBatch(ctx, chunkMessages, jetstreamext.GetBatchSeq(seq+1),
		jetstreamext.GetBatchSubject(c.names.topic(">")), jetstreamext.GetBatchMaxBytes(chunkBytes))
	if err != nil {
		return nil, seq, err
	}
	if len(found) > 0 {
		seq = found[len(found)-1].Seq
	}
	if left == 0 {
		seq = max(seq, head)
	}
	return found, seq, nil
}

// getBatch reads from the stream directly, without a consumer. left is how many
// more of the subject lie behind the last one.
func (c *Client) getBatch(ctx context.Context, n int, opts ...jetstreamext.GetBatchOpt) (found []*entry, left int, err error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	batch, err := jetstreamext.GetBatch(ctx, c.js, c.names.events, n, opts...)
	if err != nil {
		return nil, 0, brokerError("read the stream", err)
	}
	for raw, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, brokerError("read the stream", err)
		}
		found = append(found, newEntry(c.names.decode(raw.Subject, raw.Header, raw.Data, raw.Sequence, raw.Time)))
		if left, err = strconv.Atoi(raw.Header.Get("Nats-Num-Pending")); err != nil {
			return nil, 0, brokerError("read the stream", err)
		}
	}
	if err := ctx.Err(); err != nil { // a request cut short looks like its end
		return nil, 0, brokerError("read the stream", err)
	}
	return found, left, nil
}

// seqBefore is the position before the first message stored at t or later.
func (c *Client) seqBefore(ctx context.Context, t time.Time, head uint64) (uint64, error) {
	found, _, err := c.getBatch(ctx, 1, jetstreamext.GetBatchStartTime(t), jetstreamext.GetBatchSubject(c.names.topic(">")))
	if err != nil || len(found) == 0 {
		return head, err
	}
	return found[0].Seq - 1, nil
}

// seqBeforeLast is the position before the last n messages that match any of
// the patterns, of those up to head.
func (c *Client) seqBeforeLast(ctx context.Context, patterns []string, n int, state streamState) (uint64, error) {
	// The last n of one pattern are all that are needed of it, so the last n of
	// all lie behind the latest of these starts.
	start := state.First - 1
	for _, p := range minimalPatterns(patterns) {
		before, err := c.seqBeforeLastOf(ctx, p, n, state)
		if err != nil {
			return 0, err
		}
		start = max(start, before)
	}
	var seqs []uint64
	for pos := start; pos < state.Last; {
		entries, next, err := c.readAfter(ctx, pos, state.Last)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if e.Seq <= state.Last && matchAny(patterns, e.Topic) {
				seqs = append(seqs, e.Seq)
			}
		}
		pos = next
	}
	if len(seqs) > n {
		return seqs[len(seqs)-n] - 1, nil
	}
	return start, nil
}

// seqBeforeLastOf searches for the last position with at least n messages of the
// pattern behind it: the broker counts them with each direct get.
func (c *Client) seqBeforeLastOf(ctx context.Context, pattern string, n int, state streamState) (uint64, error) {
	var failed error
	span := int(state.Last - state.First + 1)
	back := sort.Search(span, func(back int) bool { // is it enough to go back so far?
		if failed != nil {
			return true
		}
		count, err := c.countFrom(ctx, pattern, state.Last-uint64(back))
		failed = errors.Join(failed, err)
		return count >= n
	})
	if failed != nil {
		return 0, failed
	}
	if back == span { // fewer than n exist
		return state.First - 1, nil
	}
	return state.Last - uint64(back) - 1, nil
}

// countFrom counts the messages of the pattern at seq and behind.
func (c *Client) countFrom(ctx context.Context, pattern string, seq uint64) (int, error) {
	found, pending, err := c.getBatch(ctx, 1, jetstreamext.GetBatchSeq(seq), jetstreamext.GetBatchSubject(c.names.topic(pattern)))
	return len(found) + pending, err
}
