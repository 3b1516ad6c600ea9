package library_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// reader is a live subscription over all lives of the broker.
type reader struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}

	head  atomic.Uint64
	got   []*msgq.Message
	reset atomic.Bool
}

func watchLive(t *testing.T, s connector) *reader {
	t.Helper()
	sub, err := s.Connect(nil).Live(t.Context(), msgq.Live{Topics: []string{"load"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{t: t, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		for {
			batch, err := sub.Next(ctx)
			if err != nil {
				return
			}
			if batch.Reset {
				r.reset.Store(true)
			}
			r.got = append(r.got, batch.Messages...)
			r.head.Store(batch.Position.Seq)
		}
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	return r
}

// stop waits until all that was acknowledged is read, and returns what was read.
func (r *reader) stop(published map[string]publication) []*msgq.Message {
	r.t.Helper()
	var last uint64
	for _, p := range published {
		last = max(last, p.receipt.Seq)
	}
	msgqtest.Eventually(r.t, fmt.Sprintf("the live reader is at seq %d", last), func() bool { return r.head.Load() >= last })
	r.cancel()
	<-r.ended
	if r.reset.Load() {
		r.t.Error("the live reader was told of a reset: nothing was gone")
	}
	return r.got
}
