package wsconn

import (
	"context"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// settleTimeout bounds what is still done for a client that has left.
const settleTimeout = 5 * time.Second

// settle does the client's acks, nacks, rejects and progress, in order, until
// there are no more: what it sent before it left is done.
func (s *queueSub) settle() {
	for r := range s.work {
		s.settleAll(s.settling, r)
	}
}

// settleAll settles every tag that it can, and answers once: ok, or the first error.
func (s *queueSub) settleAll(ctx context.Context, r request) {
	var failed error
	for i, tag := range r.Tags {
		d, err := s.tags.delivery(tag)
		if err == nil {
			last := i == len(r.Tags)-1
			err = s.settleOne(ctx, r, d, last && len(r.Ref) > 0)
			if d.Settled() {
				s.tags.forget(tag)
			}
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		s.c.fail(r.Ref, s.id, failed)
		return
	}
	s.c.ok(r.Ref)
}

// settleOne settles one delivery. Acknowledgements of one client reach the
// queue in order, so that waiting for the last confirms those before it.
func (s *queueSub) settleOne(ctx context.Context, r request, d *msgq.Delivery, confirm bool) error {
	switch r.Type {
	case "progress":
		return d.Progress()
	case "reject":
		return d.Reject(ctx, reason(r, "rejected"))
	case "nack":
		if r.Delay != nil {
			return d.NackAfter(ctx, time.Duration(*r.Delay), reason(r, "nack"))
		}
		return d.Nack(ctx, reason(r, "nack"))
	}
	if confirm {
		return d.AckSync(ctx)
	}
	return d.Ack()
}

func reason(r request, otherwise string) string {
	if r.Reason == "" {
		return otherwise
	}
	return r.Reason
}
