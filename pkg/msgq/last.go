package msgq

import (
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// seqBeforeLast is the position before the last n messages that match any of the
// patterns, or before all of them where there are no more. It searches for the last
// position with so many behind it: the broker counts, nothing is read.
func (c *Client) seqBeforeLast(ctx context.Context, patterns []string, n int, state streamState) (uint64, error) {
	patterns = minimalPatterns(patterns)
	held, err := c.countFrom(ctx, patterns, state.First)
	if err != nil {
		return 0, err
	}
	if held <= n {
		return c.seqBeforeFirst(ctx, patterns, state)
	}
	enough := func(back int) bool { // is it, to go back so far from the newest?
		if err != nil {
			return true
		}
		var count int
		count, err = c.countFrom(ctx, patterns, state.Last-uint64(back))
		return count >= n
	}
	span := int(state.Last - state.First + 1)
	reach := min(n, span)
	for reach < span && !enough(reach-1) { // near the end the broker counts fastest
		reach = min(8*reach, span)
	}
	back := sort.Search(reach, enough)
	if err != nil {
		return 0, err
	}
	return max(state.Last-uint64(back), state.First) - 1, nil // where some went meanwhile, back is too far
}

// seqBeforeFirst is the position before the first message that matches any of the
// patterns, or the end where none does.
func (c *Client) seqBeforeFirst(ctx context.Context, patterns []string, state streamState) (uint64, error) {
	before := state.Last
	for _, p := range patterns {
		first, err := c.askLeader(ctx, c.names.events, question{Seq: state.First, Next: c.names.topic(p)})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return 0, brokerError("look into the stream", err)
		}
		before = min(before, first.Sequence-1)
	}
	return before, nil
}

// countFrom counts the messages of minimal patterns at seq and behind.
func (c *Client) countFrom(ctx context.Context, patterns []string, seq uint64) (total int, err error) {
	for i, p := range patterns {
		if slices.ContainsFunc(patterns[:i], func(other string) bool { return overlap(p, other) }) {
			return c.countUnion(ctx, patterns, seq)
		}
	}
	for _, p := range patterns {
		found, left, err := c.getBatch(ctx, 1, jetstreamext.GetBatchSeq(seq), jetstreamext.GetBatchSubject(c.names.topic(p)))
		if err != nil {
			return 0, err
		}
		total += len(found) + left
	}
	return total, nil
}

// countUnion counts those of several patterns, each once however many match it. A
// direct get takes one subject; a consumer that nobody reads from tells as well, though making one is work for a cluster.
func (c *Client) countUnion(ctx context.Context, patterns []string, seq uint64) (int, error) {
	subjects := make([]string, len(patterns))
	for i, p := range patterns {
		subjects[i] = c.names.topic(p)
	}
	consumer, err := c.js.CreateConsumer(ctx, c.names.events, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: seq, FilterSubjects: subjects, HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return 0, brokerError("count messages", err)
	}
	info := consumer.CachedInfo()
	err = c.js.DeleteConsumer(ctx, c.names.events, info.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		err = nil
	}
	return int(info.NumPending), brokerError("count messages", err)
}
