package msgq

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of an atomic batch. They are stored, and left out on the way to readers.
const (
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
)

// groupAnswer is what the broker says of a batch.
type groupAnswer struct {
	Error *jetstream.APIError `json:"error"`
	Seq   uint64              `json:"seq"` // of the last message
	Count uint64              `json:"count"`
}

// answered is called by nats.go with what became of a message or a group.
func (p *publisher) answered(msg *nats.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := msg.Subject[len(p.inbox)+1:]
	if c := p.singles[id]; c != nil {
		p.answeredAlone(c, msg)
		return
	}
	g := p.find(id)
	switch {
	case g == nil: // it was given up
	case msg.Header.Get("Status") == "503":
		p.end(g, jetstream.ErrNoStreamResponse)
	default:
		p.stored(g, msg.Data)
	}
}

// stored gives each call of the group its sequence. mu is held.
func (p *publisher) stored(g *group, data []byte) {
	answer, err := parseGroupAnswer(data, len(g.waiting))
	switch {
	case err != nil:
		p.end(g, err)
		return
	case answer.Error != nil:
		p.refused(g, answer.Error)
		return
	}
	first := answer.Seq - answer.Count + 1
	for i, c := range g.waiting {
		c.ack = jetstream.PubAck{Stream: p.stream, Sequence: first + uint64(i)}
	}
	begun := g.opened
	if p.answeredAt.After(begun) {
		begun = p.answeredAt
	}
	p.pace.together(time.Since(begun))
	p.end(g, nil)
}

// parseGroupAnswer refuses an answer that is not about n messages.
func parseGroupAnswer(data []byte, n int) (groupAnswer, error) {
	var a groupAnswer
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("answer to a batch: %w", err)
	}
	if a.Error == nil && (a.Count != uint64(n) || a.Seq < a.Count) {
		return a, fmt.Errorf("answer to a batch of %d: seq %d, count %d", n, a.Seq, a.Count)
	}
	return a, nil
}

// codeBatchDisabled: the stream was made without AllowAtomicPublish.
const codeBatchDisabled = 10174

// refused has each message tried alone: the broker does not say which one it
// would not take, and has stored none. mu is held.
func (p *publisher) refused(g *group, err *jetstream.APIError) {
	if err.ErrorCode == codeBatchDisabled {
		p.disabled = true
		p.c.cfg.Logger.Warn("the stream takes no atomic batches: concurrent publishing is slow on a broker that syncs every message",
			"stream", p.stream)
	}
	p.goAlone(g)
}

// goAlone has each message of a group tried on its own. mu is held.
func (p *publisher) goAlone(g *group) {
	if p.find(g.id) == nil {
		return // it has ended: with it, its calls went back to their callers
	}
	for _, c := range g.waiting {
		c.again = true
	}
	p.end(g, nil)
}
