package msgq

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// weaknesses are what makes a stream less safe than was asked for, in words.
// When the broker syncs to disk (sync_interval) it does not tell.
func (c Config) weaknesses(have jetstream.StreamConfig) []string {
	var found []string
	weak := func(is bool, format string, args ...any) {
		if is {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	weak(have.Storage == jetstream.MemoryStorage, "it is kept in memory and ends with the broker")
	weak(have.PersistMode == jetstream.AsyncPersistMode, "persist mode is async: what is acknowledged is not on disk yet")
	weak(have.NoAck, "it acknowledges nothing")
	weak(have.Replicas < c.Replicas, "replicas are %d, not %d", have.Replicas, c.Replicas)
	return found
}

// differences are settings of a stream made before that are not those asked for: nothing changes them silently.
func (c Config) differences(have jetstream.StreamConfig) []string {
	full := DiscardOld
	if have.Discard == jetstream.DiscardNew {
		full = Refuse
	}
	var found []string
	for _, one := range []struct {
		what       string
		have, want any
	}{
		{"max age", have.MaxAge, c.MaxAge}, {"max bytes", have.MaxBytes, c.MaxBytes}, {"when full", full, c.WhenFull},
		{"duplicate window", have.Duplicates, c.DuplicateWindow},
	} {
		if one.have != one.want {
			found = append(found, fmt.Sprintf("%s is %v, not %v", one.what, one.have, one.want))
		}
	}
	return found
}

// warn says loudly what a stream that was made before lacks.
func (s *streams) warn(have jetstream.StreamConfig) {
	log, cfg := s.c.cfg.Logger, s.c.cfg
	for _, weakness := range cfg.weaknesses(have) {
		log.Warn("the stream is less durable than promised", "stream", have.Name, "weakness", weakness)
	}
	for _, difference := range cfg.differences(have) {
		log.Warn("the stream has other settings than this client; they stay until it is edited (nats stream edit)",
			"stream", have.Name, "difference", difference)
	}
}
