package msgq

import (
	"context"
	"time"
)

// PublishesUnderWay is how many calls of Publish wait for an answer.
func (c *Client) PublishesUnderWay() int {
	c.publisher.mu.Lock()
	defer c.publisher.mu.Unlock()
	return len(c.publisher.singles) + c.publisher.grouped
}

// PublishInGroups has publishes share batches although nothing was measured.
func (c *Client) PublishInGroups() {
	c.publisher.mu.Lock()
	defer c.publisher.mu.Unlock()
	c.publisher.pace.single = measured{last: [3]time.Duration{time.Minute, time.Minute, time.Minute}, n: 3}
}

// IsUsualAck reports whether an answer to a publish is read without parsing JSON.
func (c *Client) IsUsualAck(answer []byte) bool {
	_, ok := c.publisher.usualAck(answer)
	return ok
}

// ClaimOnly does the half of a delayed publish whose publisher dies in the middle.
func (c *Client) ClaimOnly(ctx context.Context, m Message, opts ...PublishOption) error {
	p, err := c.prepare(m, opts)
	if err != nil {
		return err
	}
	_, err = c.publishPatiently(ctx, c.claim(p))
	return err
}
