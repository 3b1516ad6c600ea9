package msgq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// clearing removes dead letters of a queue, each after it was rescued.
type clearing struct {
	c      *Client
	queue  string
	until  uint64 // none behind it
	first  rescue
	report func(int) // may be nil
	n      int       // done
}

func (w *clearing) done(n int) {
	w.n += n
	if w.report != nil {
		w.report(w.n)
	}
}

// find looks for one of the numbers that a selection has.
type find func(context.Context, uint64) (*jetstream.RawStreamMsg, error)

func (w *clearing) bySeq(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	raw, err := w.c.askLeader(ctx, w.c.names.dead, question{Seq: seq})
	if err == nil && !strings.HasPrefix(raw.Subject, strings.TrimSuffix(w.c.names.deadLetters(w.queue), ">")) {
		return nil, jetstream.ErrMsgNotFound
	}
	return raw, err
}

// byMessage finds a dead letter by its message: of one that has several, from
// different lives of the stream, the youngest.
func (w *clearing) byMessage(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	return w.c.askLeader(ctx, w.c.names.dead, question{Last: w.c.names.deadRounds(w.queue, seq)})
}

// each clears what find knows.
func (w *clearing) each(ctx context.Context, seqs []uint64, find find) error {
	seqs = slices.Compact(slices.Sorted(slices.Values(seqs)))
	for piece := range slices.Chunk(seqs, chunkMessages) {
		done, err := parallel(ctx, piece, func(ctx context.Context, seq uint64) (bool, error) {
			timed, cancel := w.c.withTimeout(ctx)
			defer cancel()
			raw, err := find(timed, seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return false, nil
			}
			if err != nil {
				return false, brokerError("read the dead letter", err)
			}
			return w.one(ctx, raw)
		})
		w.done(done)
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *clearing) matching(ctx context.Context, filter string) error {
	for found, err := range w.c.deadLetters(ctx, w.queue, deadRange{filter: filter, until: w.until}) {
		if err != nil {
			return err
		}
		done, err := parallel(ctx, found, w.one)
		w.done(done)
		if err != nil {
			return err
		}
	}
	return nil
}

// all removes piece by piece: the broker takes 0.7 ms to remove one alone.
func (w *clearing) all(ctx context.Context) error {
	if w.first == nil {
		n, err := w.purge(ctx, w.until)
		w.done(n)
		return err
	}
	for found, err := range w.c.deadLetters(ctx, w.queue, deadRange{until: w.until}) {
		if err != nil || len(found) == 0 {
			return err
		}
		done, err := parallel(ctx, found, w.first)
		w.done(done)
		if err != nil {
			return err
		}
		if _, err := w.purge(ctx, found[len(found)-1].Sequence); err != nil {
			return err
		}
	}
	return nil
}

func (w *clearing) one(ctx context.Context, raw *jetstream.RawStreamMsg) (bool, error) {
	if w.first == nil {
		return w.remove(ctx, raw)
	}
	counts, err := w.first(ctx, raw)
	if err == nil {
		_, err = w.remove(ctx, raw)
	}
	return counts, err
}

// remove is false where somebody else was faster.
func (w *clearing) remove(ctx context.Context, raw *jetstream.RawStreamMsg) (bool, error) {
	var answer struct{ Error *jetstream.APIError }
	err := w.c.deadRequest(ctx, "STREAM.MSG.DELETE.", fmt.Appendf(nil, `{"seq":%d,"no_erase":true}`, raw.Sequence), &answer)
	if err != nil {
		return false, err
	}
	if answer.Error != nil && !isGone(answer.Error) {
		return false, brokerError("remove the dead letter", answer.Error)
	}
	return answer.Error == nil, nil
}

// purge removes the queue's dead letters up to a sequence, and returns how many.
func (w *clearing) purge(ctx context.Context, until uint64) (int, error) {
	var answer struct {
		Error  *jetstream.APIError
		Purged int
	}
	body := fmt.Appendf(nil, `{"filter":%q,"seq":%d}`, w.c.names.deadLetters(w.queue), until+1)
	if err := w.c.deadRequest(ctx, "STREAM.PURGE.", body, &answer); err != nil {
		return 0, err
	}
	if answer.Error != nil {
		return 0, brokerError("remove dead letters", answer.Error)
	}
	return answer.Purged, nil
}

// deadRequest asks for what nats.go does not tell: the code of an error, the number removed.
func (c *Client) deadRequest(ctx context.Context, api string, body []byte, answer any) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	msg, err := c.nc.RequestWithContext(ctx, "$JS.API."+api+c.names.dead, body)
	if err != nil {
		return brokerError("remove dead letters", err)
	}
	return brokerError("remove dead letters", json.Unmarshal(msg.Data, answer))
}

// isGone tells the answers to the removal of a message that is not there, from nats-server/v2/server/errors.json.
func isGone(err *jetstream.APIError) bool {
	const sequenceNotFound, deleteFailed = 10043, 10057
	return err.ErrorCode == sequenceNotFound || err.ErrorCode == deleteFailed && strings.Contains(err.Description, "no message found")
}
