package msgq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrInvalidSelection is returned for a selection that selects nothing: the zero value, or no sequences.
var ErrInvalidSelection = errors.New("invalid selection")

// codeSequenceNotFound, from nats-server/v2/server/errors.json.
const codeSequenceNotFound = 10043

// Selection says which of a queue's dead letters are meant.
type Selection struct {
	kind   selectKind
	seqs   []uint64
	filter string
}

type selectKind int

const (
	selectNone selectKind = iota
	selectSeqs
	selectMatching
	selectAll
)

// SelectSeqs means the dead letters with these [DeadLetter].DeadSeq. Those that do
// not exist, or are another queue's, are passed over.
func SelectSeqs(deadSeqs ...uint64) Selection {
	return Selection{kind: selectSeqs, seqs: deadSeqs}
}

// SelectMatching means those whose message a filter holds for.
func SelectMatching(filter string) Selection { return Selection{kind: selectMatching, filter: filter} }

// SelectAll means all there are when it is used; none that come meanwhile.
func SelectAll() Selection { return Selection{kind: selectAll} }

// Redrive sends dead letters to the queue that gave them up, and to no other, with
// attempts counted from 1 again, and returns how many. Each is removed once the
// queue has it; one cut short in between can be repeated within [Config].DuplicateWindow
// without a second delivery. Errors, with what was done until then: [ErrQueueNotFound],
// [ErrInvalidSelection], [ErrInvalidFilter], [ErrStreamFull], [ErrUnavailable], or that of ctx.
func (c *Client) Redrive(ctx context.Context, queue string, sel Selection) (int, error) {
	return c.clearDead(ctx, queue, sel, func(ctx context.Context, raw *jetstream.RawStreamMsg) error {
		ctx, cancel := c.withTimeout(ctx)
		defer cancel()
		_, err := c.js.PublishMsg(ctx, c.names.redriven(queue, raw))
		return brokerError("redrive", err)
	})
}

// Discard removes dead letters for good and returns how many. Errors: those of [Client.Redrive].
func (c *Client) Discard(ctx context.Context, queue string, sel Selection) (int, error) {
	return c.clearDead(ctx, queue, sel, func(context.Context, *jetstream.RawStreamMsg) error { return nil })
}

// redriven is the copy for the queue. Its message id names this dead letter alone.
func (n names) redriven(queue string, raw *jetstream.RawStreamMsg) *nats.Msg {
	d := n.decodeDead(raw)
	msg := &nats.Msg{Subject: n.queue(queue) + d.Topic, Header: ownHeaders(raw.Header), Data: raw.Data}
	origin{seq: d.Seq, time: d.Time, round: d.Round + 1}.put(msg.Header)
	msg.Header[nats.MsgIdHdr] = []string{brokerID(raw.Subject, strconv.FormatInt(raw.Time.UnixNano(), 10))}
	return msg
}

// clearDead removes what is selected, each after before went well with it.
func (c *Client) clearDead(ctx context.Context, queue string, sel Selection,
	before func(context.Context, *jetstream.RawStreamMsg) error,
) (int, error) {
	if _, err := c.queueConsumer(ctx, queue); err != nil {
		return 0, err
	}
	dead, err := c.deadStream(ctx)
	if err != nil {
		return 0, err
	}
	remove := func(ctx context.Context, raw *jetstream.RawStreamMsg) (bool, error) {
		if err := before(ctx, raw); err != nil {
			return false, err
		}
		return c.deleteDeadLetter(ctx, raw.Sequence)
	}
	r := deadRange{filter: sel.filter, until: dead.CachedInfo().State.LastSeq} // what is redriven may die again meanwhile
	switch {
	case sel.kind == selectSeqs && len(sel.seqs) > 0:
		return c.clearSeqs(ctx, queue, dead, sel.seqs, remove)
	case sel.kind == selectMatching, sel.kind == selectAll:
		return c.clearRange(ctx, queue, r, remove)
	}
	return 0, fmt.Errorf("%w: it is empty", ErrInvalidSelection)
}

// deleteDeadLetter is false where somebody else was faster. By hand: nats.go hides the
// broker's code in a text.
func (c *Client) deleteDeadLetter(ctx context.Context, seq uint64) (bool, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	body := fmt.Appendf(nil, `{"seq":%d,"no_erase":true}`, seq)
	msg, err := c.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.DELETE."+c.names.dead, body)
	if err != nil {
		return false, brokerError("remove the dead letter", err)
	}
	var answer struct{ Error *jetstream.APIError }
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return false, brokerError("remove the dead letter", err)
	}
	if answer.Error != nil && answer.Error.ErrorCode != codeSequenceNotFound {
		return false, brokerError("remove the dead letter", answer.Error)
	}
	return answer.Error == nil, nil
}

func (c *Client) deadStream(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	dead, err := c.js.Stream(ctx, c.names.dead)
	return dead, brokerError("look at the dead letters", err)
}

func (c *Client) clearRange(ctx context.Context, queue string, r deadRange,
	remove func(context.Context, *jetstream.RawStreamMsg) (bool, error),
) (n int, err error) {
	for found, err := range c.deadLetters(ctx, queue, r) {
		if err != nil {
			return n, err
		}
		done, err := parallel(ctx, found, remove)
		n += done
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *Client) clearSeqs(ctx context.Context, queue string, dead jetstream.Stream, seqs []uint64,
	remove func(context.Context, *jetstream.RawStreamMsg) (bool, error),
) (int, error) {
	mine := strings.TrimSuffix(c.names.deadLetters(queue), ">")
	return parallel(ctx, slices.Compact(slices.Sorted(slices.Values(seqs))), func(ctx context.Context, seq uint64) (bool, error) {
		timed, cancel := c.withTimeout(ctx)
		defer cancel()
		raw, err := dead.GetMsg(timed, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && !strings.HasPrefix(raw.Subject, mine) {
			return false, nil
		}
		if err != nil {
			return false, brokerError("read the dead letter", err)
		}
		return remove(ctx, raw)
	})
}

// redriveAtOnce is how many dead letters are on their way at a time.
const redriveAtOnce = 64

// parallel calls do for each, some at once, and counts the calls that say true. It
// begins no more after the first error, and returns that.
func parallel[T any](ctx context.Context, all []T, do func(context.Context, T) (bool, error)) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var n, next atomic.Int64
	var workers sync.WaitGroup
	for range min(redriveAtOnce, len(all)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				counts, err := do(context.WithoutCancel(ctx), all[i]) // what has begun is finished
				if err != nil {
					cancel(err)
					return
				}
				if counts {
					n.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return int(n.Load()), context.Cause(ctx)
}
