package msgq

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Pull requests live at most pullExpiry; a request without a sign of life for
// pullSilence is taken for lost with the broker that had it.
const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 2 * time.Second
	pullSilence   = 5 * time.Second
	settingsEvery = 10 * time.Second // for changes that the roster did not tell of
	// closeWait bounds the wait for messages under way when a member leaves.
	closeWait = time.Second
)

// puller asks the broker for as many messages of a queue as its member may
// hold, and never for more: what waits here could not go to others.
type puller struct {
	c      *Client
	queue  string
	member *Member
	at     queueLife // the consumer whose messages the member has; of run alone

	sub     *nats.Subscription
	subject string        // of requests
	inbox   string        // of answers
	ended   chan struct{} // the last answer was taken

	lives                       atomic.Int64 // how often it listened
	wake, quit, unstick, shrink chan struct{}
	altered                     chan struct{} // the queue has other settings
	once                        sync.Once

	seen  atomic.Int64 // on the member's clock: the last sign of life
	retry atomic.Bool  // the last request was refused or lost: look before asking again
	limit atomic.Int64 // bytes of the last request
	large atomic.Bool  // the next message is larger than that: ask for it alone
}

func nextSubject(stream, queue string) string {
	return "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + queue
}

func newPuller(c *Client, member *Member, at queueLife) (*puller, error) {
	queue := member.Queue().Name
	p := &puller{
		c: c, queue: queue, member: member, at: at,
		subject: nextSubject(c.names.events, queue),
		wake:    make(chan struct{}, 1), quit: make(chan struct{}), unstick: make(chan struct{}, 1), shrink: make(chan struct{}, 1),
		altered: make(chan struct{}, 1),
	}
	return p, brokerError("join the queue", p.listen())
}

func (p *puller) listen() error {
	inbox, ended, life := p.c.nc.NewInbox(), make(chan struct{}), p.lives.Add(1)
	sub, err := p.c.nc.Subscribe(inbox, func(msg *nats.Msg) { p.receive(msg, life == p.lives.Load()) })
	if err != nil {
		return err
	}
	sub.SetClosedHandler(func(string) { close(ended) })
	p.sub, p.inbox, p.ended = sub, inbox, ended
	return sub.SetPendingLimits(-1, -1) // bounded by what was asked for
}

// withdraw takes back what was asked for: the broker forgets requests that nobody listens for.
func (p *puller) withdraw() {
	before := p.sub
	if p.listen() != nil { // closed meanwhile
		return
	}
	_ = before.Drain() // with what is under way; if the connection is gone, so are the requests
	p.member.unasked(maxAsked)
}

func (p *puller) stop() { p.once.Do(func() { close(p.quit) }) }

// refill has the puller look whether more can be asked for.
func (p *puller) refill() { nudge(p.wake) }

// nudge wakes whoever reads c, which holds one value.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run asks for messages until stop, the client's end, or the end of the queue.
func (p *puller) run() error {
	ticker := time.NewTicker(pullHeartbeat)
	defer ticker.Stop()
	settings := time.NewTicker(settingsEvery)
	defer settings.Stop()
	reconnected := p.c.nc.StatusChanged(nats.CONNECTED)
	defer p.c.nc.RemoveStatusListener(reconnected)
	var handed uint64
	for {
		if err := p.ask(); err != nil {
			return err
		}
		select {
		case <-p.quit:
			return ErrClosed
		case <-p.c.ctx.Done():
			return ErrClosed
		case <-reconnected: // requests died with the old connection
			p.lost()
		case <-settings.C:
			nudge(p.altered)
		case <-p.altered:
			if err := p.look(); err != nil {
				return err
			}
		case <-p.unstick:
			p.withdraw() // else they would come back here at once
			p.member.giveBackStuck()
		case <-p.shrink:
			p.withdraw()
		case <-p.wake:
		case <-ticker.C:
			if p.member.idles(&handed) {
				p.member.paced.stalled()
				p.withdraw()
			}
		}
	}
}

// close ends the requests under way, and waits for what they had brought already:
// a message dropped on its way would come again only after the ack wait.
func (p *puller) close() {
	if p.c.nc.Status() != nats.CONNECTED || p.sub.Drain() != nil {
		_ = p.sub.Unsubscribe()
	}
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C: // the connection hangs
		_ = p.sub.Unsubscribe()
	}
}

// lost has the puller begin anew, when it next has a cause or the ticker ticks:
// at once could be again and again.
func (p *puller) lost() {
	p.retry.Store(true)
	p.member.unasked(maxAsked)
}

// maxAsked is more than is ever asked for.
const maxAsked = 1 << 20

// ask requests what is free. An error ends the puller.
func (p *puller) ask() error {
	if p.member.clock()-time.Duration(p.seen.Load()) > pullSilence && p.member.waits() {
		p.lost()
	}
	if p.retry.Load() {
		if err := p.look(); err != nil {
			return err
		}
		if p.c.nc.Status() != nats.CONNECTED {
			return nil
		}
	}
	if n := p.member.ask(); n > 0 {
		p.request(n)
	}
	return nil
}

func (p *puller) request(n int) {
	p.retry.Store(false)
	p.seen.Store(int64(p.member.clock()))
	limit := share(p.c.roster.total.Load())
	p.limit.Store(limit)
	if n > 1 && p.large.Swap(false) {
		p.member.unasked(n - 1)
		n = 1
	}
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d%s}`, n, pullExpiry, pullHeartbeat, maxBytes(n, limit))
	if err := p.c.nc.PublishRequest(p.subject, p.inbox, body); err != nil {
		p.retry.Store(true) // not connected: asked again when it is
		p.member.unasked(n)
	}
}

// look sees to the queue: it takes over changed settings and makes it again where
// its stream was lost. An error means that the queue is gone for good.
func (p *puller) look() error {
	asked := p.member.clock() // before the broker tells, so that nothing younger is dropped
	q, at, err := p.c.reopenQueue(p.c.ctx, p.member.Queue(), p.at, p.member.last())
	if errors.Is(err, ErrQueueNotFound) {
		return err
	}
	if err != nil { // the broker is away
		return nil //nolint:nilerr // what waits goes on when it is back
	}
	switch {
	case !at.created.Equal(p.at.created):
		p.member.drop(math.MaxInt64)
		p.member.acks.Store(p.c.counts.acknowledged(p.queue, at.created))
	case !at.began.Equal(p.at.began): // sought; members that asked before have messages of after it already
		p.member.drop(asked - at.goes())
	}
	p.at = at
	p.member.changed(q)
	return nil
}

// receive is called by nats.go for every answer.
func (p *puller) receive(msg *nats.Msg, current bool) {
	now := p.member.clock()
	p.seen.Store(int64(now))
	reply, ok := parseAckReply(msg.Reply)
	switch {
	case ok && !current: // on its way when it was withdrawn, and not among what is asked for
		p.member.unasked(-1)
		p.member.deliver(msg, reply, now)
		return
	case ok:
		p.member.deliver(msg, reply, now)
		return
	case !current:
		return
	}
	switch msg.Header.Get("Status") {
	case "100": // heartbeat
	case "404", "408": // the request is over, without so many messages
		p.member.unasked(pendingOf(msg))
		p.refill()
	case "503": // nobody there: the stream may be gone
		p.c.streams.look()
		p.lost()
	default: // 409
		p.ended409(msg)
	}
}

// ended409 is a request that was fulfilled, or whose next message is too large for it, or that was lost.
func (p *puller) ended409(msg *nats.Msg) {
	switch why := msg.Header.Get("Description"); why {
	case batchCompleted:
	case sizeExceeds:
		if left, _ := strconv.ParseInt(msg.Header.Get("Nats-Pending-Bytes"), 10, 64); left == p.limit.Load() {
			p.large.Store(true) // none at all came
		}
		p.member.unasked(pendingOf(msg))
		p.refill()
	default: // deleted, leadership change, shutdown
		p.lost()
		if strings.Contains(why, "Deleted") {
			p.refill() // look now; the rest mends itself until the next tick
		}
	}
}

// maxBytes is a member of a request for n messages. For a single one there is no limit, so that each comes some time.
func maxBytes(n int, limit int64) string {
	if n == 1 {
		return ""
	}
	return `,"max_bytes":` + strconv.FormatInt(limit, 10)
}

// Descriptions in status 409 of how a request with max_bytes ends.
const (
	batchCompleted = "Batch Completed" // all came
	sizeExceeds    = "Message Size Exceeds MaxBytes"
)

func pendingOf(msg *nats.Msg) int {
	n, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		return maxAsked // an answer without a count ends everything asked for
	}
	return n
}
