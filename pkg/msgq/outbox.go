package msgq

import (
	"runtime"

	"github.com/nats-io/nats.go"
)

// outgoing is a message that is about to be sent, for a call of its own or for a
// group. It holds the caller's data: who ends a call early empties the outbox before.
type outgoing struct {
	msg   *nats.Msg
	call  *call
	group *group
	err   error
}

// sendSoon sends what is in the outbox, once whoever can run now has had the
// chance to add to it. nats.go writes to its socket as soon as one message is
// there, and the broker answers in the same way: for messages that go one by one,
// these system calls and the waking on both sides are much of the work.
func (p *publisher) sendSoon() {
	runtime.Gosched()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush()
}

// flush sends what is in the outbox, in its order. mu is held.
func (p *publisher) flush() {
	sending := p.outbox
	p.outbox = nil
	for i := range sending {
		o := &sending[i]
		if o.err = p.c.nc.PublishMsg(o.msg); o.call != nil {
			o.msg.Reply = "" // it may be sent again
		}
	}
	for _, o := range sending { // only now: a call that has ended may change its message
		switch {
		case o.err == nil:
		case o.group != nil:
			p.goAlone(o.group)
		default:
			p.endAlone(o.call, o.err)
		}
	}
}
