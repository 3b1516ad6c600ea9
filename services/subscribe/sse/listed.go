package sse

import (
	"context"
	"errors"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/connections"
)

// errEnded is the cause of a stream's end that an administrator wanted.
var errEnded = errors.New("closed by an administrator")

// listedStream is what administrators see of a stream.
type listedStream struct {
	*stream
	id, remote, subject string
	live                msgq.Live
	end                 context.CancelCauseFunc
}

// Describe is connections.Conn's. What waits for the client is in the kernel.
func (s *listedStream) Describe() connections.Connection {
	pos := s.sub.Position()
	return connections.Connection{
		ID: s.id, Kind: connections.Events, Remote: s.remote, Subject: s.subject, Since: s.since.UTC(),
		Subscriptions: []connections.Subscription{{Kind: "live", Topics: s.live.Topics, Filter: s.live.Filter, Position: &pos}},
	}
}

// End is connections.Conn's.
func (s *listedStream) End(string) { s.end(errEnded) }
