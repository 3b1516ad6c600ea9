package wsconn

import (
	"fmt"
	"unicode/utf8"
)

// dispatch does what a request asks for. What it returns is told the client.
func (c *conn) dispatch(r request) error {
	switch r.Type {
	case "ping":
		c.send(reply{Type: "pong", Ref: r.Ref})
		return nil
	case "auth":
		return c.authenticate(r)
	}
	if c.grant.Load() == nil {
		return &codedError{code: "unauthenticated", message: `a token is needed first: {"type":"auth","token":"…"}`}
	}
	switch r.Type {
	case "subscribe":
		return c.subscribe(r)
	case "unsubscribe":
		return c.unsubscribe(r)
	case "ack", "nack", "reject", "progress", "credit":
		q, err := c.queueOf(r)
		if err != nil {
			return err
		}
		return q.request(r)
	}
	return &codedError{code: "unknown_type", message: fmt.Sprintf("type %.64q is unknown", r.Type)}
}

func (c *conn) subscribe(r request) error {
	if n := utf8.RuneCountInString(r.ID); n < 1 || n > maxID {
		return badRequest(fmt.Sprintf("id: %d characters, 1 to %d are allowed", n, maxID))
	}
	for id, s := range c.subs {
		if s.ended() {
			c.forget(id)
			s.stop()
		}
	}
	if c.subs[r.ID] != nil {
		return &codedError{code: "duplicate_id", message: fmt.Sprintf("id: a subscription %q exists on this connection", r.ID)}
	}
	if len(c.subs) >= maxSubscriptions {
		return &codedError{code: "limit_exceeded", message: fmt.Sprintf("%d subscriptions, no more are allowed on one connection", len(c.subs))}
	}
	var s subscription
	var err error
	if r.Queue != nil {
		s, err = newQueueSub(c, r)
	} else {
		s, err = newLiveSub(c, r)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs == nil {
		c.subs = make(map[string]subscription, 1)
	}
	c.subs[r.ID] = s
	return nil
}

func (c *conn) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subs, id)
}

func (c *conn) unsubscribe(r request) error {
	s := c.subs[r.ID]
	if s == nil {
		return unknownID(r.ID)
	}
	c.forget(r.ID)
	s.stop()
	c.ok(r.Ref)
	return nil
}

func (c *conn) queueOf(r request) (*queueSub, error) {
	switch s := c.subs[r.ID].(type) {
	case *queueSub:
		if s.ended() { // as the client was told
			return nil, unknownID(r.ID)
		}
		return s, nil
	case nil:
		return nil, unknownID(r.ID)
	default:
		return nil, badRequest(fmt.Sprintf("%s: %q is a live subscription, there is nothing to acknowledge", r.Type, r.ID))
	}
}

func unknownID(id string) error {
	return &codedError{code: "unknown_id", message: fmt.Sprintf("id: no subscription %.64q on this connection", id)}
}
