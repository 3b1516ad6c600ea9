package msgq

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/synadia-io/orbit.go/jetstreamext"
)

// seqBeforeLast is the position before the last n messages that match any of
// the patterns.
func (c *Client) seqBeforeLast(ctx context.Context, patterns []string, n int, state streamState) (uint64, error) {
	patterns = minimalPatterns(patterns)
	if len(patterns) == 1 {
		return c.seqBeforeLastOf(ctx, patterns[0], n, state)
	}
	// The last n of one pattern are all that are needed of it, so the last n of
	// all lie behind the latest of these starts. What is there is read and counted:
	// patterns may overlap.
	start := state.First - 1
	for _, p := range patterns {
		before, err := c.seqBeforeLastOf(ctx, p, n, state)
		if err != nil {
			return 0, err
		}
		start = max(start, before)
	}
	var seqs []uint64
	for pos := start; pos < state.Last; {
		ch, err := c.chunkBehind(ctx, pos, state.Last)
		if err != nil {
			return 0, err
		}
		for _, e := range ch.after(pos) {
			if e.Seq <= state.Last && slices.ContainsFunc(patterns, func(p string) bool { return MatchTopic(p, e.Topic) }) {
				seqs = append(seqs, e.Seq)
			}
		}
		pos = ch.through
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
	found, left, err := c.getBatch(ctx, 1, jetstreamext.GetBatchSeq(seq), jetstreamext.GetBatchSubject(c.names.topic(pattern)))
	return len(found) + left, err
}
