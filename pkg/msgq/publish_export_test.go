package msgq

// PublishesUnderWay is how many calls of Publish wait for an answer.
func (c *Client) PublishesUnderWay() int {
	c.publisher.mu.Lock()
	defer c.publisher.mu.Unlock()
	return c.publisher.calls
}
