package msgq

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// metaEpoch is the stream metadata that names one life of the stream.
const metaEpoch = "msgq-epoch"

// create makes the streams that are missing. Another process may do the same
// at the same time: whoever comes second finds them there.
func (s *streams) create(ctx context.Context) error {
	for _, cfg := range s.configs() {
		_, err := s.info(ctx, cfg.Name)
		if err == nil {
			continue
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		ctx, cancel := s.c.withTimeout(ctx)
		_, err = s.c.js.CreateStream(ctx, cfg)
		cancel()
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			if apiCode(err) == codeInsufficientStorage {
				return fmt.Errorf("%w: stream %s does not fit the broker's storage: "+
					"it needs more disk, or a smaller MaxBytes (MSGQ_MAX_BYTES)", ErrUnavailable, cfg.Name)
			}
			return fmt.Errorf("create stream %s: %w", cfg.Name, err)
		}
		if err == nil {
			s.c.cfg.Logger.Info("stream created", "stream", cfg.Name)
		}
	}
	return nil
}

// configs lists the streams, EVENTS last: it sources what is due from EVENTS_LATER,
// and is what the others are looked for by.
func (s *streams) configs() []jetstream.StreamConfig {
	n, cfg := s.c.names, s.c.cfg
	base := jetstream.StreamConfig{Storage: jetstream.FileStorage, Replicas: cfg.Replicas, AllowDirect: true}

	// Scheduled messages have a stream of their own: the server forces AllowRollup
	// on it, an age limit would delete waiting ones silently, and it excludes
	// DiscardNew. So it has no limit but the broker's disk.
	later := base
	later.Name = n.later
	later.Subjects = []string{n.prefix + ".l.>"}
	later.Duplicates = cfg.DuplicateWindow
	later.AllowMsgSchedules, later.AllowMsgTTL, later.AllowRollup, later.AllowAtomicPublish = true, true, true, true

	// A full one refuses dead letters, and so leaves the messages in their queues.
	dead := base
	dead.Name = n.dead
	dead.Subjects = []string{n.prefix + ".d.>"}
	dead.Discard = jetstream.DiscardNew
	dead.MaxBytes = max(cfg.MaxBytes/8, 1<<20)

	// What became of the queues' messages: one counter a subject.
	counts := base
	counts.Name = n.counts
	counts.Subjects = []string{n.prefix + ".n.>"}
	counts.MaxMsgsPerSubject = 1
	counts.AllowMsgCounter = true

	events := base
	events.Name = n.events
	events.Subjects = []string{n.prefix + ".t.>", n.prefix + ".q.>"}
	events.MaxAge, events.MaxBytes = cfg.MaxAge, cfg.MaxBytes
	events.Duplicates = cfg.DuplicateWindow
	events.AllowMsgTTL, events.AllowAtomicPublish = true, true
	events.Metadata = map[string]string{metaEpoch: nuid.Next()}
	if cfg.WhenFull == Refuse {
		events.Discard = jetstream.DiscardNew
	}
	events.Sources = []*jetstream.StreamSource{{
		Name:              n.later,
		SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: n.prefix + ".l.due.>", Destination: n.prefix + ".>"}},
	}}
	return []jetstream.StreamConfig{later, dead, counts, events}
}

// usable refuses a stream of this name that was made for something else.
func usable(cfg jetstream.StreamConfig, n names) error {
	if !slices.Contains(cfg.Subjects, n.prefix+".t.>") || !slices.Contains(cfg.Subjects, n.prefix+".q.>") || !cfg.AllowDirect {
		return fmt.Errorf("%w: stream %s exists with other settings: it needs the subjects %s.t.> and %s.q.> and direct access",
			ErrUnavailable, cfg.Name, n.prefix, n.prefix)
	}
	return nil
}

// NewEpoch begins another life of the stream: for one that was restored from a backup when no client ran who would have seen it.
// Positions of before are not recovered from now on, and readers are told. Errors: [ErrUnavailable], [ErrClosed], or that of ctx.
func (c *Client) NewEpoch(ctx context.Context) (epoch string, err error) {
	if c.ctx.Err() != nil {
		return "", ErrClosed
	}
	info, err := c.streams.info(ctx, c.names.events)
	if err != nil {
		return "", brokerError("look at the stream", err)
	}
	state, err := c.streams.newEpoch(ctx, info)
	if err != nil {
		return "", err
	}
	c.streams.look()
	return state.Epoch, nil
}

// newEpoch names a new life of the stream: it lost messages at its end, or was
// not made by us.
func (s *streams) newEpoch(ctx context.Context, info *jetstream.StreamInfo) (streamState, error) {
	cfg := info.Config
	if cfg.Metadata == nil {
		cfg.Metadata = make(map[string]string)
	}
	before := cfg.Metadata[metaEpoch]
	cfg.Metadata[metaEpoch] = nuid.Next()
	ctx, cancel := s.c.withTimeout(ctx)
	defer cancel()
	if _, err := s.c.js.UpdateStream(ctx, cfg); err != nil {
		return streamState{}, brokerError("name the stream's epoch", err)
	}
	s.c.cfg.Logger.Warn("stream has a new epoch", "stream", cfg.Name, "before", before, "now", cfg.Metadata[metaEpoch],
		"last_seq", info.State.LastSeq, "seen_seq", s.c.tail.newest().seq)
	info.Config = cfg
	return newStreamState(info), nil
}
