package msgq

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// copySweeper removes copies that are done: their stream has no age limit. It also mends the consumers of copies that do not go
// with their queues any more.
type copySweeper struct {
	c    *Client
	done map[string]uint64 // by queue: up to which sequence
}

// sweep reports whether no copy is left.
func (s *copySweeper) sweep(ctx context.Context) (clean bool, err error) {
	last, err := s.c.askLeader(ctx, s.c.names.later, question{Last: s.c.names.copy("*") + ">"})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil
	}
	if err != nil {
		return false, brokerError("look for copies", err)
	}
	consumers, err := s.c.allCopies(ctx)
	if err != nil {
		return false, err
	}
	all := []error{s.mend(ctx, consumers), s.removeOfNoQueue(ctx, last.Subject, consumers)}
	done := make(map[string]uint64, len(consumers))
	for queue, info := range consumers {
		floor := info.AckFloor.Stream
		if floor > 0 && floor != s.done[queue] { // lower in a consumer that was made again
			floor, err = s.remove(ctx, info, floor)
			all = append(all, err)
		}
		done[queue] = floor
	}
	s.done = done
	return false, errors.Join(all...)
}

func (s *copySweeper) mend(ctx context.Context, consumers map[string]*jetstream.ConsumerInfo) error {
	wrong := make(map[string]struct{})
	for queue := range consumers {
		wrong[queue] = struct{}{} // unless it has a queue
	}
	all := []error{s.c.eachQueue(ctx, func(q Queue, _ *jetstream.ConsumerInfo) {
		if info := consumers[q.Name]; info != nil && info.Config.AckWait == q.AckWait {
			delete(wrong, q.Name)
		} else {
			wrong[q.Name] = struct{}{}
		}
	})}
	if all[0] != nil {
		return all[0]
	}
	for queue := range wrong {
		if err := s.c.ensureCopies(ctx, queue); !errors.Is(err, ErrQueueNotFound) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// removeOfNoQueue removes what came too late for the deletion of its queue: nobody would ever be done with it.
func (s *copySweeper) removeOfNoQueue(ctx context.Context, subject string, consumers map[string]*jetstream.ConsumerInfo) error {
	queue, _, _ := strings.Cut(strings.TrimPrefix(subject, strings.TrimSuffix(s.c.names.copy(""), ".")), ".")
	if consumers[queue] != nil {
		return nil
	}
	if err := s.c.ensureCopies(ctx, queue); !errors.Is(err, ErrQueueNotFound) {
		return err
	}
	return brokerError("remove copies of no queue", s.c.purge(ctx, stored{s.c.names.later, s.c.names.copy(queue) + ">"}, 0))
}

// remove removes copies up to that sequence, or as far as it gets. With a purge the broker would forget which copies wait to be
// delivered again, and bring them only after another ack wait: so none is made where some are out.
func (s *copySweeper) remove(ctx context.Context, info *jetstream.ConsumerInfo, until uint64) (uint64, error) {
	later, subject := s.c.names.later, s.c.names.copy(info.Name)+">"
	if info.NumAckPending == 0 {
		return until, brokerError("remove copies that are done", s.c.purge(ctx, stored{later, subject}, until))
	}
	found, err := s.c.readOn(ctx, later, subject, 1, until, chunkMessages)
	if err != nil {
		return 0, err
	}
	done := slices.DeleteFunc(found, func(raw *jetstream.RawStreamMsg) bool { return raw.Sequence > until })
	if len(done) == 0 {
		return until, nil
	}
	stream, err := s.c.js.Stream(ctx, later)
	if err != nil {
		return 0, brokerError("remove copies that are done", err)
	}
	_, err = parallel(ctx, done, func(ctx context.Context, raw *jetstream.RawStreamMsg) (bool, error) {
		err := stream.DeleteMsg(ctx, raw.Sequence)
		if isDeleted(err) {
			err = nil
		}
		return true, err
	})
	if err != nil {
		return 0, brokerError("remove copies that are done", err)
	}
	return done[len(done)-1].Sequence, nil
}
