package msgq

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// connectionLife ends when the connection is lost. What was sent over it is not
// answered any more, so nobody waits for that: whether it was stored is open, and
// a caller who gave the message an id can publish it again.
type connectionLife struct {
	ctx context.Context
	end context.CancelFunc
}

func newConnectionLife() *connectionLife {
	ctx, end := context.WithCancel(context.Background())
	return &connectionLife{ctx, end}
}

// disconnected ends every publish under way.
func (p *publisher) disconnected() {
	p.life.Swap(newConnectionLife()).end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outbox = nil
	for _, c := range p.singles {
		p.endAlone(c, nats.ErrDisconnected)
	}
	groups := append([]*group{p.flying, p.open}, p.sealed...)
	for _, g := range groups {
		if g != nil {
			p.end(g, nats.ErrDisconnected)
		}
	}
	p.pace = pace{} // the next broker may be another one
}

// answerTime bounds the wait for an answer: by ctx, or a default where it has no
// deadline, and by the connection's life. Its errors go through answerError.
func (p *publisher) answerTime(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := p.c.withTimeout(ctx)
	stop := context.AfterFunc(p.life.Load().ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// answerError tells a wait that ended with the connection from one that the caller gave up.
func answerError(caller context.Context, err error) error {
	if errors.Is(err, context.Canceled) && caller.Err() == nil {
		return nats.ErrDisconnected
	}
	return err
}
