package msgq

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// replicaSilence is how long a replica may be quiet and still count: its leader hears of it once a second.
const replicaSilence = 3 * time.Second

// leaderPause is the wait between two questions while a leader is chosen, which takes moments.
const leaderPause = 500 * time.Millisecond

// led asks for the stream until it can store messages, at most until ctx ends, for a
// leader may be chosen at this moment. Errors: [ErrNoQuorum], and those of nats.go.
func (s *streams) led(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	for {
		stream, err := s.c.js.Stream(ctx, name) // asks the broker
		switch {
		case apiCode(err) == codeClusterNotAvailable: // nobody leads all brokers
		case err != nil:
			return nil, err
		case hasQuorum(stream.CachedInfo().Cluster):
			return stream.CachedInfo(), nil
		}
		if sleep(ctx, leaderPause) != nil {
			return nil, ErrNoQuorum
		}
	}
}

// hasQuorum tells from a broker's answer whether the stream can store. One that is
// cut off from the others goes on answering: without a leader, or for 10 s as the
// leader that it was. One that leads since a moment has not heard of its replicas
// yet (Active is 0), but was elected by them.
func hasQuorum(c *jetstream.ClusterInfo) bool {
	if c == nil {
		return true
	}
	heard := 1 // the leader itself
	for _, r := range c.Replicas {
		if r.Active < replicaSilence {
			heard++
		}
	}
	return c.Leader != "" && heard > (len(c.Replicas)+1)/2
}
