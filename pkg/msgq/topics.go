package msgq

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TopicInfo is a topic that has messages.
type TopicInfo struct {
	Topic    string
	Messages uint64 // held now
	LastSeq  uint64 // of the newest; 0 if it was removed just now
}

// MaxTopics is how many topics one page of [Client.Topics] may have.
const MaxTopics = 1000

// Topics lists the topics that match the pattern and have messages, sorted, at
// most limit (1 to [MaxTopics]) of those behind after. There are more if and only if
// as many came as asked for and another call brings some. One list is made at a time: the
// broker tells of up to 100,000 subjects in one answer.
// Errors: [ErrInvalidTopic], [ErrUnavailable].
func (c *Client) Topics(ctx context.Context, pattern, after string, limit int) ([]TopicInfo, error) {
	if err := ValidatePattern(pattern); err != nil {
		return nil, err
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	select {
	case c.topicLists <- struct{}{}:
		defer func() { <-c.topicLists }()
	case <-ctx.Done():
		return nil, brokerError("list topics", ctx.Err())
	}
	topics, err := c.topicsBehind(ctx, pattern, after, limit)
	if err != nil || len(topics) == 0 {
		return topics, err
	}
	return topics, c.addLastSeqs(ctx, topics)
}

// topicsBehind goes through the broker's list, which comes in sorted parts, until there are enough.
func (c *Client) topicsBehind(ctx context.Context, pattern, after string, limit int) ([]TopicInfo, error) {
	limit = min(max(limit, 1), MaxTopics)
	var found []TopicInfo
	for offset := 0; ; {
		part, total, err := c.subjects(ctx, c.names.topic(pattern), offset)
		if err != nil {
			return nil, err
		}
		for subject, n := range part {
			if topic := c.names.topicOf(subject); topic > after {
				found = append(found, TopicInfo{Topic: topic, Messages: n})
			}
		}
		slices.SortFunc(found, func(a, b TopicInfo) int { return strings.Compare(a.Topic, b.Topic) })
		found = slices.Clip(found[:min(limit, len(found))])
		offset += len(part)
		if len(found) == limit || len(part) == 0 || offset >= total {
			return slices.Clone(found), nil
		}
	}
}

// subjects asks the broker for one part of its list, from an offset on.
func (c *Client) subjects(ctx context.Context, filter string, offset int) (part map[string]uint64, total int, err error) {
	request, err := json.Marshal(map[string]any{"subjects_filter": filter, "offset": offset})
	if err != nil {
		return nil, 0, fmt.Errorf("list topics: %w", err)
	}
	msg, err := c.nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+c.names.events, request)
	if err != nil {
		return nil, 0, brokerError("list topics", err)
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
		Total int                 `json:"total"`
		State struct {
			Subjects map[string]uint64 `json:"subjects"`
		} `json:"state"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return nil, 0, brokerError("list topics", err)
	}
	if answer.Error != nil {
		return nil, 0, brokerError("list topics", answer.Error)
	}
	return answer.State.Subjects, answer.Total, nil
}

// addLastSeqs has a consumer bring the newest message of each topic, without its data.
func (c *Client) addLastSeqs(ctx context.Context, topics []TopicInfo) error {
	byTopic := make(map[string]*TopicInfo, len(topics))
	subjects := make([]string, len(topics))
	for i := range topics {
		byTopic[topics[i].Topic] = &topics[i]
		subjects[i] = c.names.topic(topics[i].Topic)
	}
	consumer, err := c.js.CreateConsumer(ctx, c.names.events, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubjects: subjects, HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return brokerError("list topics", err)
	}
	defer func() { _ = c.js.DeleteConsumer(ctx, c.names.events, consumer.CachedInfo().Name) }() // else it ends by itself
	newest, err := consumer.FetchNoWait(len(topics))
	if err != nil {
		return brokerError("list topics", err)
	}
	for msg := range newest.Messages() {
		if meta, err := msg.Metadata(); err == nil {
			if t := byTopic[c.names.topicOf(msg.Subject())]; t != nil {
				t.LastSeq = max(t.LastSeq, meta.Sequence.Stream)
			}
		}
	}
	return brokerError("list topics", newest.Error())
}
