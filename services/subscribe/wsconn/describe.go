package wsconn

import "github.com/asyncmsglib/msgq/services/subscribe/connections"

// Describe is connections.Conn's.
func (c *conn) Describe() connections.Connection {
	d := connections.Connection{
		ID: c.id, Kind: connections.WebSocket, Remote: c.sock.RemoteAddr().String(), Since: c.since.UTC(), Buffered: c.out.waiting(),
		Subscriptions: []connections.Subscription{},
	}
	if grant := c.grant.Load(); grant != nil {
		d.Subject = grant.Subject
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		d.Subscriptions = append(d.Subscriptions, s.describe())
	}
	return d
}

// End is connections.Conn's.
func (c *conn) End(reason string) { c.close(closeShutdown, reason) }

func (s *liveSub) describe() connections.Subscription {
	pos := s.sub.Position()
	return connections.Subscription{ID: s.id, Kind: "live", Topics: s.request.Topics, Filter: s.request.Filter, Position: &pos}
}

func (s *queueSub) describe() connections.Subscription {
	q, credit := s.member.Queue(), int(s.credit.Load())
	return connections.Subscription{ID: s.id, Kind: "queue", Topics: q.Topics, Filter: q.Filter, Queue: q.Name, Credit: &credit}
}
