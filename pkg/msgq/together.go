package msgq

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// codeBatchDuplicate: a message of the batch has an id that was stored before, or twice in it.
const codeBatchDuplicate = 10201

// storeTogether stores the messages as one atomic batch, at most maxGroup, and
// returns the first one's sequence. An error with an API code means that none is stored.
func (p *publisher) storeTogether(ctx context.Context, msgs []*nats.Msg) (first uint64, err error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	caller := ctx
	ctx, cancel := p.answerTime(ctx)
	defer cancel()
	if len(msgs) == 1 {
		ack, err := p.c.js.PublishMsg(ctx, msgs[0])
		if err != nil {
			return 0, answerError(caller, err)
		}
		if ack.Duplicate {
			return 0, &jetstream.APIError{ErrorCode: codeBatchDuplicate, Description: "duplicate"}
		}
		return ack.Sequence, nil
	}
	id := []string{nuid.Next()}
	for i, msg := range msgs {
		msg.Header[headerBatchID], msg.Header[headerBatchSeq] = id, []string{strconv.Itoa(i + 1)}
		err := p.c.nc.PublishMsg(msg)
		leaveBatch(msg) // it may be sent again on its own
		if err != nil {
			return 0, err
		}
	}
	res, err := p.c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: msgs[0].Subject, Header: nats.Header{
		headerBatchID: id, headerBatchSeq: {strconv.Itoa(len(msgs) + 1)}, headerBatchCommit: {"eob"},
	}})
	if err != nil {
		return 0, answerError(caller, err)
	}
	answer, err := parseGroupAnswer(res.Data, len(msgs))
	if err != nil {
		return 0, err
	}
	if answer.Error != nil {
		return 0, answer.Error
	}
	return answer.Seq - answer.Count + 1, nil
}

func leaveBatch(msg *nats.Msg) {
	delete(msg.Header, headerBatchID)
	delete(msg.Header, headerBatchSeq)
}

// errNotStored: no message with this id was stored within the duplicate window.
var errNotStored = errors.New("not stored")

// codeWrongLastMsgID: the stream's last message has another id than expected.
const codeWrongLastMsgID = 10070

// probe asks whether the message's id was stored before, and stores nothing:
// the broker looks for duplicates before it looks at the last message's id,
// which is never the one expected here.
func (p *publisher) probe(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	if msg.Header.Get(nats.MsgIdHdr) == "" {
		return nil, errNotStored
	}
	probe := &nats.Msg{Subject: msg.Subject, Header: nats.Header{
		nats.MsgIdHdr: msg.Header[nats.MsgIdHdr], nats.ExpectedLastMsgIdHdr: {"no message has this id"},
	}}
	ack, err := p.c.js.PublishMsg(ctx, probe)
	if apiCode(err) == codeWrongLastMsgID {
		return nil, errNotStored
	}
	return ack, err
}
