package msgq

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// How requests end. One without a sign of life for its silence is taken for lost with the broker that had it.
const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 2 * time.Second
	pullSilence   = 5 * time.Second
	// A spare copy is waited for by every idle member, and comes to one that is not idle any more: so there is little to be heard of
	// it, and not for long.
	spareExpiry    = 10 * time.Second
	spareHeartbeat = 4 * time.Second
	spareSilence   = 12 * time.Second
	// closeWait bounds the wait for messages under way when a member leaves.
	closeWait = time.Second
)

// requests are what a member asks of one of its queue's consumers, and the answers.
type requests struct {
	p       *puller
	copies  bool   // of the consumer of copies
	subject string // of requests

	sub     *nats.Subscription
	inbox   string        // of answers
	ended   chan struct{} // the last answer was taken
	silence time.Duration // of the last request; of the puller alone

	lives atomic.Int64 // how often it listened
	seen  atomic.Int64 // on the member's clock: the last sign of life
	limit atomic.Int64 // bytes of the last request
	large atomic.Bool  // the next message is larger than that: ask for it alone
}

func (r *requests) listen() error {
	inbox, ended, life := r.p.c.nc.NewInbox(), make(chan struct{}), r.lives.Add(1)
	sub, err := r.p.c.nc.Subscribe(inbox, func(msg *nats.Msg) { r.receive(msg, life == r.lives.Load()) })
	if err != nil {
		return err
	}
	sub.SetClosedHandler(func(string) { close(ended) })
	r.sub, r.inbox, r.ended = sub, inbox, ended
	return sub.SetPendingLimits(-1, -1) // bounded by what was asked for
}

// withdraw takes back what was asked for: the broker forgets requests that nobody listens for.
func (r *requests) withdraw() {
	before := r.sub
	if r.listen() != nil { // closed meanwhile
		return
	}
	_ = before.Drain() // with what is under way; if the connection is gone, so are the requests
	r.p.member.unasked(r.copies, maxAsked)
}

// close ends the requests under way. What they had brought already is waited for by finish.
func (r *requests) close() {
	if r.p.c.nc.Status() != nats.CONNECTED || r.sub.Drain() != nil {
		_ = r.sub.Unsubscribe()
	}
}

func (r *requests) finish(ctx context.Context) {
	select {
	case <-r.ended:
	case <-ctx.Done(): // the connection hangs
		_ = r.sub.Unsubscribe()
	}
}

// send asks for n messages, which the member has counted as asked for.
func (r *requests) send(n int, request pullRequest) {
	r.silence = pullSilence
	if request == spare {
		r.silence = spareSilence
	}
	r.seen.Store(int64(r.p.member.clock()))
	limit := share(r.p.c.roster.total.Load())
	r.limit.Store(limit)
	if n > 1 && r.large.Swap(false) {
		r.p.member.unasked(r.copies, n-1)
		n = 1
	}
	if r.p.c.nc.PublishRequest(r.subject, r.inbox, request.of(n, limit)) != nil {
		r.lost() // not connected: asked again when it is
	}
}

// isSilent reports that an answer should be here. What comes of it later is no more among what is asked for.
func (r *requests) isSilent() bool {
	m := r.p.member
	return m.waitsFor(r.copies) && m.clock()-time.Duration(r.seen.Load()) > r.silence
}

// receive is called by nats.go for every answer.
func (r *requests) receive(msg *nats.Msg, current bool) {
	m := r.p.member
	now := m.clock()
	if reply, ok := parseAckReply(msg.Reply); ok {
		if current {
			r.seen.Store(int64(now))
		}
		m.deliver(msg, reply, now, current)
		return
	}
	if !current { // about what was withdrawn
		return
	}
	r.seen.Store(int64(now))
	switch msg.Header.Get("Status") {
	case "100": // heartbeat
	case "404", "408": // the request is over, without so many messages
		if r.copies {
			m.noCopies()
		}
		m.unasked(r.copies, pendingOf(msg))
		r.p.refill()
	case "503": // nobody there: the stream or the consumer may be gone
		if !r.copies || !r.p.copiesMissing.Load() {
			r.p.c.streams.look()
		}
		r.gone()
	default: // 409
		r.ended409(msg)
	}
}

// lost has the puller begin anew, when it next has a cause or its ticker ticks: at once could be again and again.
func (r *requests) lost() {
	r.p.member.unasked(r.copies, maxAsked)
	if r.copies {
		r.p.member.noCopies() // messages go on
		return
	}
	r.p.retry.Store(true)
}

// gone is lost where the consumer may not be there.
func (r *requests) gone() {
	r.lost()
	if r.copies {
		r.p.copiesMissing.Store(true)
	}
}

// ended409 is a request that was fulfilled, or whose next message is too large for it, or that was lost.
func (r *requests) ended409(msg *nats.Msg) {
	switch why := msg.Header.Get("Description"); why {
	case batchCompleted:
	case sizeExceeds:
		if left, _ := strconv.ParseInt(msg.Header.Get("Nats-Pending-Bytes"), 10, 64); left == r.limit.Load() {
			r.large.Store(true) // none at all came
		}
		r.p.member.unasked(r.copies, pendingOf(msg))
		r.p.refill()
	default: // deleted, leadership change, shutdown
		if !strings.Contains(why, "Deleted") {
			r.lost() // mends itself until the next tick
			return
		}
		if r.copies {
			r.p.member.dropCopies()
		}
		r.gone()
		r.p.refill() // look now
	}
}

// Descriptions in status 409 of how a request with max_bytes ends.
const (
	batchCompleted = "Batch Completed" // all came
	sizeExceeds    = "Message Size Exceeds MaxBytes"
)

// maxAsked is more than is ever asked for.
const maxAsked = 1 << 20

func pendingOf(msg *nats.Msg) int {
	n, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		return maxAsked // an answer without a count ends everything asked for
	}
	return n
}
