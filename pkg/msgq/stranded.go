package msgq

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stranded tells when to leave a broker that is reached and yet of no use, as one that
// is cut off from the rest of its cluster. Nothing else would: the connection is well.
type stranded struct {
	since time.Time     // when it began to be of no use; zero: it is of use
	wait  time.Duration // until the broker is left
	id    string        // of the broker that was left
	again int           // how often it may be left at once, should we meet it under another address
}

// The wait doubles, so that a cluster without a majority is not troubled by clients
// that go round. The first one is longer than a look that nobody answers, as while a
// leader is chosen.
const (
	minStranded = 5 * time.Second
	maxStranded = time.Minute
)

// leave takes what a look showed, and reports whether to try another broker.
func (s *stranded) leave(began, now time.Time, err error) bool {
	switch {
	case err == nil:
		*s = stranded{}
		return false
	case !unserved(err):
		s.since = time.Time{} // another try changes nothing, or there is no connection anyway
		return false
	case s.since.IsZero():
		s.since, s.wait = began, max(s.wait, minStranded)
		if errors.Is(err, ErrNoQuorum) {
			s.since = began.Add(-replicaSilence) // it was so before it was told
		}
	}
	if now.Sub(s.since) < s.wait {
		return false
	}
	s.since, s.wait = time.Time{}, min(2*s.wait, maxStranded)
	return true
}

// unserved reports that nobody behind this broker answers for the streams.
func unserved(err error) bool {
	return errors.Is(err, ErrNoQuorum) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) || apiCode(err) == codeClusterNotAvailable
}

// tryAnother connects to another broker, where more than one is known. What is under way
// ends as with any lost connection.
func (s *stranded) tryAnother(nc *nats.Conn, log *slog.Logger, why error) {
	known := len(nc.Servers())
	if known < 2 {
		return
	}
	s.id, s.again = nc.ConnectedServerId(), known-1
	log.Warn("leaving a broker that does not serve the stream", "url", nc.ConnectedUrlRedacted(), "error", why)
	_ = nc.ForceReconnect() // fails only for a closed one
}

// met reports that the broker that was left is the one connected to, and leaves it again:
// a broker may be known by its name and by the address that the others tell.
func (s *stranded) met(nc *nats.Conn) bool {
	if s.again == 0 || nc.ConnectedServerId() != s.id {
		return false
	}
	s.again--
	_ = nc.ForceReconnect()
	return true
}
