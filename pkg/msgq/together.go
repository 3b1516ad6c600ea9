package msgq

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// The broker has too many open batches, and so did not take one or a part of it: none of it is stored.
const (
	codeBatchIncomplete = 10176
	codeBatchesOpen     = 10210
	crowdedPause        = 20 * time.Millisecond
)

func isCrowded(err error) bool {
	return apiCode(err) == codeBatchIncomplete || apiCode(err) == codeBatchesOpen
}

// codeBatchDuplicate: a message of the batch has an id that was stored before, or twice in it.
const codeBatchDuplicate = 10201

// storeTogether stores the messages as one atomic batch, at most maxGroup, and
// returns the first one's sequence. An error with an API code means that none is stored.
func (p *publisher) storeTogether(ctx context.Context, msgs []*nats.Msg) (first uint64, err error) {
	for {
		b, err := p.newAtomicBatch(ctx)
		if err != nil {
			return 0, err
		}
		for _, msg := range msgs {
			b.send(msg)
		}
		if first, err = b.commit(ctx); !isCrowded(err) {
			return first, err
		}
		if err := sleep(ctx, crowdedPause); err != nil {
			return 0, answerError(ctx, err)
		}
	}
}

// atomicBatch sends each message at once, so that the broker has most of them
// when the last one is ready. A first one waits for a second: alone it is no batch.
type atomicBatch struct {
	p     *publisher
	id    []string
	first *nats.Msg
	sent  int
	err   error
}

// newAtomicBatch waits for its turn. It ends with commit.
func (p *publisher) newAtomicBatch(ctx context.Context) (*atomicBatch, error) {
	if err := p.batches.Acquire(ctx, 1); err != nil {
		return nil, answerError(ctx, err)
	}
	return &atomicBatch{p: p, id: []string{nuid.Next()}}, nil
}

func (b *atomicBatch) send(msg *nats.Msg) {
	switch {
	case b.first == nil:
		b.first = msg
		return
	case b.sent == 0:
		b.write(b.first)
	}
	b.write(msg)
}

func (b *atomicBatch) write(msg *nats.Msg) {
	if b.err != nil {
		return
	}
	b.sent++
	msg.Header[headerBatchID], msg.Header[headerBatchSeq] = b.id, []string{strconv.Itoa(b.sent)}
	b.err = b.p.c.nc.PublishMsg(msg)
}

// commit returns the sequence of the first message.
func (b *atomicBatch) commit(caller context.Context) (first uint64, err error) {
	defer b.p.batches.Release(1)
	if b.first == nil || b.err != nil {
		return 0, b.err
	}
	ctx, cancel := b.p.answerTime(caller)
	defer cancel()
	if b.sent == 0 {
		leaveBatch(b.first)
		ack, err := b.p.c.publishPatiently(ctx, b.first)
		if err != nil {
			return 0, answerError(caller, err)
		}
		if ack.Duplicate {
			return 0, &jetstream.APIError{ErrorCode: codeBatchDuplicate, Description: "duplicate"}
		}
		return ack.Sequence, nil
	}
	res, err := b.p.c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: b.first.Subject, Header: nats.Header{
		headerBatchID: b.id, headerBatchSeq: {strconv.Itoa(b.sent + 1)}, headerBatchCommit: {"eob"},
	}})
	if err != nil {
		return 0, answerError(caller, err)
	}
	answer, err := parseGroupAnswer(res.Data, b.sent)
	if err != nil {
		return 0, err
	}
	if answer.Error != nil {
		return 0, answer.Error
	}
	return answer.Seq - answer.Count + 1, nil
}

// leaveBatch makes a message ready to be sent on its own.
func leaveBatch(msg *nats.Msg) {
	delete(msg.Header, headerBatchID)
	delete(msg.Header, headerBatchSeq)
	if msg.Header[headerID] == nil {
		msg.Header[headerID] = []string{nuid.Next()}
	}
}

// errNotStored: no message with this id was stored within the duplicate window.
var errNotStored = errors.New("not stored")

// codeRollupRefused: the message wants others removed, which the stream does not allow.
const codeRollupRefused = 10111

// probe asks whether the message's id was stored before, and stores nothing: the broker
// looks for duplicates before it refuses a rollup that makes no sense. (To expect another last message's id
// does the same on one broker, but ends a replicated stream for good: nats-server 2.15.2 applies it on
// each replica, and takes the refusal for a damage.)
func (p *publisher) probe(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	if msg.Header.Get(nats.MsgIdHdr) == "" {
		return nil, errNotStored
	}
	probe := &nats.Msg{Subject: msg.Subject, Header: nats.Header{
		nats.MsgIdHdr: msg.Header[nats.MsgIdHdr], jetstream.MsgRollup: {"none"},
	}}
	ack, err := p.c.publishPatiently(ctx, probe)
	if apiCode(err) == codeRollupRefused {
		return nil, errNotStored
	}
	return ack, err
}
