package msgq

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Due messages stay in the stream of later messages when EVENTS has taken them
// over, until somebody purges them. How far EVENTS has come is shown by a marker:
// a message put behind the due ones, which goes the same way and arrives behind
// them, since EVENTS takes them in order. Where EVENTS has the newest marker,
// everything due before it is there too.
//
// Any number of clients may do this: a purge up to a marker that has arrived is
// right whoever put it there and however often it is repeated.
const (
	sweepInterval = 10 * time.Second
	sweepPause    = time.Minute // after a failure, as where this client may not purge
	markerQueue   = "$sweep"    // no queue can have this name, so nobody reads it
	markerLife    = time.Minute // in EVENTS
	markerMark    = "Msgq-Marker"
)

// sweeper purges due messages now and then.
type sweeper struct {
	c      *Client
	copies copySweeper
	clean  uint64 // the end of the stream of later messages when nothing due and no copy was left in it
}

func (s *sweeper) run() {
	for wait := sweepInterval; sleep(s.c.ctx, wait) == nil; {
		wait = sweepInterval
		if err := s.sweep(s.c.ctx); err != nil && s.c.ctx.Err() == nil {
			s.c.cfg.Logger.Warn("due messages not purged, trying again later", "error", err)
			wait = sweepPause
		}
	}
}

// sweep purges what EVENTS has taken over, and puts a marker behind what it may
// not have yet. It asks the broker nothing where no message was added since the
// last time that nothing was left.
func (s *sweeper) sweep(ctx context.Context) error {
	end := s.c.streams.endOfLater()
	if end == s.clean || s.c.nc.Status() != nats.CONNECTED {
		return nil
	}
	ctx, cancel := s.c.withTimeout(ctx)
	defer cancel()
	later, err := s.c.js.Stream(ctx, s.c.names.later)
	if err != nil {
		return brokerError("look for due messages", err)
	}
	waiting, err := s.purgeTaken(ctx, later)
	nothing, copiesErr := s.copies.sweep(ctx)
	if err := errors.Join(err, copiesErr); err != nil || waiting {
		return err
	}
	_, err = s.c.askLeader(ctx, s.c.names.later, question{Last: s.c.names.due(">")})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		if nothing {
			s.clean = end
		}
		return nil
	}
	if err != nil {
		return brokerError("look for due messages", err)
	}
	return s.putMarker(ctx)
}

// purgeTaken purges up to the newest marker if EVENTS has it. It reports whether that is still to come.
func (s *sweeper) purgeTaken(ctx context.Context, later jetstream.Stream) (waiting bool, err error) {
	marker, err := s.c.askLeader(ctx, s.c.names.later, question{Last: s.c.names.due(markerTarget)})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, brokerError("look for the marker", err)
	}
	arrived, err := s.c.askLeader(ctx, s.c.names.events, question{Last: s.c.names.prefix + "." + markerTarget})
	gone := errors.Is(err, jetstream.ErrMsgNotFound)
	if err != nil && !gone {
		return false, brokerError("look for the marker", err)
	}
	if gone || arrived.Header.Get(markerMark) != marker.Header.Get(markerMark) {
		return time.Since(marker.Time) < markerLife, nil // older than that: it may have come and gone
	}
	err = later.Purge(ctx, jetstream.WithPurgeSubject(s.c.names.due(">")), jetstream.WithPurgeSequence(marker.Sequence+1))
	return false, brokerError("purge due messages", err)
}

const markerTarget = "q." + markerQueue + ".marker"

func (s *sweeper) putMarker(ctx context.Context) error {
	_, err := s.c.js.PublishMsg(ctx, &nats.Msg{Subject: s.c.names.due(markerTarget), Header: nats.Header{
		markerMark:             {nuid.Next()},
		jetstream.MsgTTLHeader: {markerLife.String()},
	}})
	return brokerError("put a marker behind due messages", err)
}
