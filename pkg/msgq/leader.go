package msgq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// What is asked of a stream's leader. It knows everything that was acknowledged; a direct get
// may be answered by a replica that lags, and what that one has not got yet is there all the same.

// question is one message: of a sequence, the last of a subject, or the first at or behind a place.
type question struct {
	Seq  uint64     `json:"seq,omitempty"`
	Last string     `json:"last_by_subj,omitempty"`
	Next string     `json:"next_by_subj,omitempty"` // a subject; with Seq or Time
	Time *time.Time `json:"start_time,omitempty"`
}

// askLeader is [jetstream.ErrMsgNotFound] where there is none.
func (c *Client) askLeader(ctx context.Context, stream string, q question) (*jetstream.RawStreamMsg, error) {
	if q == (question{}) {
		return nil, jetstream.ErrMsgNotFound // no message has the sequence 0
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	request, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("look into the stream: %w", err)
	}
	msg, err := c.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, request)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Time    time.Time `json:"time"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return nil, fmt.Errorf("look into the stream: %w", err)
	}
	if answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return nil, jetstream.ErrMsgNotFound
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	m := answer.Message
	raw := &jetstream.RawStreamMsg{Subject: m.Subject, Sequence: m.Seq, Time: m.Time, Data: m.Data}
	if len(m.Header) > 0 {
		if raw.Header, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			return nil, fmt.Errorf("look into the stream: %w", err)
		}
	}
	return raw, nil
}

// find looks for the first message at or behind a place in EVENTS; zero if there is none.
func (c *Client) find(ctx context.Context, place question) (mark, error) {
	place.Next = ">"
	raw, err := c.askLeader(ctx, c.names.events, place)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, brokerError("look into the stream", err)
	}
	return mark{raw.Sequence, raw.Time}, nil
}

// lagWait is how long a replica has to catch up before it is read again.
const lagWait = 10 * time.Millisecond

// readOn is readRaw that gives nothing only where the leader has nothing more either, up to until (0: no end).
func (c *Client) readOn(ctx context.Context, stream, subject string, from, until uint64, n int) ([]*jetstream.RawStreamMsg, error) {
	for {
		found, err := c.readRaw(ctx, stream, subject, from, n)
		if err != nil || len(found) > 0 {
			return found, err
		}
		if end, err := c.atEnd(ctx, stream, subject, from, until); end || err != nil {
			return nil, err
		}
	}
}

// atEnd is asked where a replica has no more messages of the subject at or behind a sequence. It is
// false where the leader has some, and then takes its time: the replica is to be read again.
func (c *Client) atEnd(ctx context.Context, stream, subject string, seq, until uint64) (bool, error) {
	next, err := c.askLeader(ctx, stream, question{Seq: seq, Next: subject})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return true, nil
	case err != nil:
		return false, brokerError("read "+stream, err)
	case until > 0 && next.Sequence > until:
		return true, nil
	}
	return false, sleep(ctx, lagWait)
}

// readRaw reads up to n messages of a subject from a sequence on, without a consumer.
func (c *Client) readRaw(ctx context.Context, stream, subject string, from uint64, n int) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	batch, err := jetstreamext.GetBatch(ctx, c.js, stream, n, jetstreamext.GetBatchSeq(from),
		jetstreamext.GetBatchSubject(subject), jetstreamext.GetBatchMaxBytes(chunkBytes))
	if err != nil {
		return nil, brokerError("read "+stream, err)
	}
	var found []*jetstream.RawStreamMsg
	for raw, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, nil
		}
		if err != nil {
			return nil, brokerError("read "+stream, err)
		}
		found = append(found, raw)
	}
	return found, brokerError("read "+stream, ctx.Err()) // a request cut short looks like its end
}
