package msgq

// CatchUpReads is how often the broker was asked for a chunk.
func (c *Client) CatchUpReads() int {
	k := c.tail.chunks
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.loads
}

// CatchUpBytes is how much the chunks take.
func (c *Client) CatchUpBytes() int64 {
	k := c.tail.chunks
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bytes
}

// Filters is how many distinct filters are in use.
func (c *Client) Filters() int { return c.tail.filters.index.Len() }
