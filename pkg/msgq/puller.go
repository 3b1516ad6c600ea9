package msgq

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Pull requests live at most pullExpiry; a request without a sign of life for
// pullSilence is taken for lost with the broker that had it.
const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 2 * time.Second
	pullSilence   = 5 * time.Second
	settingsEvery = 10 * time.Second
)

// puller asks the broker for as many messages of a queue as its member may
// hold, and never for more: what waits here could not go to others.
type puller struct {
	c      *Client
	queue  string
	member *Member

	sub     *nats.Subscription
	subject string // of requests
	inbox   string // of answers

	wake, quit chan struct{}
	once       sync.Once

	mu       sync.Mutex
	asked    int // messages asked for and not yet here
	lastSeen time.Time
	retry    bool // the last request was refused: look before asking again
}

func newPuller(c *Client, queue string, member *Member) (*puller, error) {
	p := &puller{
		c: c, queue: queue, member: member,
		subject: "$JS.API.CONSUMER.MSG.NEXT." + c.names.events + "." + queue,
		inbox:   c.nc.NewInbox(),
		wake:    make(chan struct{}, 1), quit: make(chan struct{}),
	}
	sub, err := c.nc.Subscribe(p.inbox, p.receive)
	if err != nil {
		return nil, brokerError("join the queue", err)
	}
	p.sub = sub
	return p, sub.SetPendingLimits(-1, -1) // bounded by what was asked for
}

func (p *puller) stop() { p.once.Do(func() { close(p.quit) }) }

// refill has the puller look whether more can be asked for.
func (p *puller) refill() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run asks for messages until stop, the client's end, or the end of the queue.
func (p *puller) run() error {
	defer func() { _ = p.sub.Unsubscribe() }()
	ticker := time.NewTicker(pullHeartbeat)
	defer ticker.Stop()
	settings := time.NewTicker(settingsEvery)
	defer settings.Stop()
	reconnected := p.c.nc.StatusChanged(nats.CONNECTED)
	defer p.c.nc.RemoveStatusListener(reconnected)
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
			p.reset()
		case <-settings.C:
			if err := p.look(); err != nil {
				return err
			}
		case <-p.wake:
		case <-ticker.C:
		}
	}
}

func (p *puller) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.retry = 0, true
}

// ask requests what is free. An error ends the puller.
func (p *puller) ask() error {
	p.mu.Lock()
	if p.asked > 0 && time.Since(p.lastSeen) > pullSilence {
		p.asked, p.retry = 0, true
	}
	asked, retry := p.asked, p.retry
	p.mu.Unlock()
	n := p.member.free() - asked
	if n <= 0 || asked > 0 && n < asked { // a few at a time would cost a request each
		return nil
	}
	if retry {
		if err := p.look(); err != nil || p.c.nc.Status() != nats.CONNECTED {
			return err
		}
	}
	return p.request(n)
}

func (p *puller) request(n int) error {
	body, err := json.Marshal(map[string]any{"batch": n, "expires": pullExpiry, "idle_heartbeat": pullHeartbeat})
	if err != nil {
		return fmt.Errorf("pull request: %w", err)
	}
	p.mu.Lock()
	p.asked += n
	p.retry = false
	p.lastSeen = time.Now()
	p.mu.Unlock()
	if err := p.c.nc.PublishRequest(p.subject, p.inbox, body); err != nil {
		p.reset() // not connected: asked again by the ticker
	}
	return nil
}

// look takes over the queue's settings. An error means that the queue is gone for good.
func (p *puller) look() error {
	info, err := p.c.queueConsumer(p.c.ctx, p.queue)
	if errors.Is(err, ErrQueueNotFound) {
		return err
	}
	if err == nil { // else the broker is away
		q, _ := p.c.fromConsumer(info)
		p.member.changed(q)
	}
	return nil
}

// receive is called by nats.go for every answer, one at a time.
func (p *puller) receive(msg *nats.Msg) {
	status := msg.Header.Get("Status")
	p.mu.Lock()
	p.lastSeen = time.Now()
	if status == "" || msg.Reply != "" && status != "100" {
		p.asked = max(0, p.asked-1)
		p.mu.Unlock()
		p.member.deliver(msg)
		return
	}
	defer p.mu.Unlock()
	switch status {
	case "100": // heartbeat
	case "404", "408": // the request is over, without so many messages
		p.asked = max(0, p.asked-pendingOf(msg))
		p.refill()
	default: // 409: deleted, leadership change, shutdown; 503: nobody there
		p.asked, p.retry = 0, true
		if strings.Contains(msg.Header.Get("Description"), "Deleted") {
			p.refill() // look now; the rest mends itself until the next tick
		}
	}
}

func pendingOf(msg *nats.Msg) int {
	n, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		return maxConcurrency // an answer without a count ends everything asked for
	}
	return n
}
