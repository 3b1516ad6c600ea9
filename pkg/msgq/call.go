package msgq

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// call waits for the answer to one message, which went alone or in a group.
type call struct {
	id    string // in the subject of its answer; empty in a group, which has one for all
	done  chan struct{}
	ack   jetstream.PubAck
	err   error
	again bool // there is no answer yet: the message is to be sent again, on its own
}

// send sends a message alone. mu is held.
func (p *publisher) send(msg *nats.Msg) *call {
	p.sent++
	leaveBatch(msg)
	c := &call{id: strconv.FormatUint(p.sent, 36), done: make(chan struct{})}
	msg.Reply = p.inbox + "." + c.id
	p.singles[c.id] = c
	p.outbox = append(p.outbox, outgoing{msg: msg, call: c})
	return c
}

// abandon ends the wait for an answer.
func (p *publisher) abandon(c *call, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush()
	delete(p.singles, c.id)
	return err
}

// endAlone ends a call without an answer. mu is held.
func (p *publisher) endAlone(c *call, err error) {
	delete(p.singles, c.id)
	c.err = err
	close(c.done)
}

// answeredAlone ends a call. mu is held.
func (p *publisher) answeredAlone(c *call, msg *nats.Msg) {
	delete(p.singles, c.id)
	if p.grouped == 0 {
		p.pace.singly(len(p.singles), time.Now())
	}
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		c.again = true // nobody listened, as while a leader is chosen
	} else {
		c.ack, c.err = p.parseAck(msg.Data)
		c.again = isInProcess(c.err)
	}
	close(c.done)
}

// parseAck reads what the broker says of one message.
func (p *publisher) parseAck(data []byte) (jetstream.PubAck, error) {
	if seq, ok := p.usualAck(data); ok {
		return jetstream.PubAck{Stream: p.stream, Sequence: seq}, nil
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.PubAck
	}
	switch err := json.Unmarshal(data, &answer); {
	case err != nil:
		return answer.PubAck, fmt.Errorf("answer to a message: %w", err)
	case answer.Error != nil:
		return answer.PubAck, answer.Error
	case answer.Sequence == 0:
		return answer.PubAck, jetstream.ErrInvalidJSAck
	}
	return answer.PubAck, nil
}

// usualAck reads {"stream":"EVENTS","seq":17}, which nearly all answers are: as
// JSON that costs as much as the rest. Older brokers put a space after the comma.
func (p *publisher) usualAck(data []byte) (seq uint64, ok bool) {
	rest, ok := bytes.CutPrefix(data, p.ackPrefix)
	if !ok {
		return 0, false
	}
	digits, ok := bytes.CutPrefix(bytes.TrimPrefix(rest, []byte(" ")), []byte(`"seq":`))
	if !ok {
		return 0, false
	}
	digits, ok = bytes.CutSuffix(digits, []byte("}"))
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	return seq, ok && err == nil && seq > 0
}
