package msgq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// MaxCredit is the most unsettled messages that one member may hold.
const MaxCredit = 1000

// Member takes part in a queue: it is given messages up to its credit and
// settles each. [Client.Subscribe] does that with a handler; use a Member where
// something else decides when a message is done.
type Member struct {
	c          *Client
	queue      atomic.Pointer[Queue] // as the broker had it when last looked at
	start      uint64
	filter     *filter.Filter
	pull       *puller
	deliveries chan *Delivery

	mu      sync.Mutex
	credit  int
	held    map[uint64]*Delivery // by seq: with the caller or on its way to it
	burying sync.WaitGroup
	left    bool
	err     error
	done    chan struct{}
}

// Join makes a member of the queue, creating the queue if it does not exist.
// Settings left out are taken from the queue; other topics or another filter
// are [ErrQueueMismatch]. Errors: [ErrInvalidQueue], [ErrInvalidTopic], [ErrInvalidFilter],
// [ErrTooManyQueues], [ErrUnavailable].
func (c *Client) Join(ctx context.Context, q Queue, credit int) (*Member, error) {
	if err := validateCredit(credit); err != nil {
		return nil, err
	}
	q, start, err := c.openQueue(ctx, q)
	if err != nil {
		return nil, err
	}
	f, err := compileFilter(q.Filter)
	if err != nil {
		return nil, err
	}
	m := &Member{
		c: c, start: start, filter: f, credit: credit,
		deliveries: make(chan *Delivery, MaxCredit),
		held:       make(map[uint64]*Delivery),
		done:       make(chan struct{}),
	}
	m.queue.Store(&q)
	m.pull, err = newPuller(c, q.Name, m)
	if err != nil {
		return nil, err
	}
	c.wg.Go(func() {
		err := m.pull.run()
		m.end(err)
	})
	return m, nil
}

func validateCredit(credit int) error {
	if credit < 0 || credit > MaxCredit {
		return fmt.Errorf("%w: credit %d, 0 to %d are allowed", ErrInvalidQueue, credit, MaxCredit)
	}
	return nil
}

// Queue is the queue with its settings as the broker has them. A change reaches
// members within 10 s.
func (m *Member) Queue() Queue { return *m.queue.Load() }

// Start is the position from which the queue went on when the member joined.
func (m *Member) Start() uint64 { return m.start }

// changed takes the queue's settings as they are now.
func (m *Member) changed(q Queue) { m.queue.Store(&q) }

// Deliveries gives the messages. It is never closed: watch Done too.
func (m *Member) Deliveries() <-chan *Delivery { return m.deliveries }

// Done is closed when the member has left or its queue is gone; Err tells which.
func (m *Member) Done() <-chan struct{} { return m.done }

// Err is nil before Done, then [ErrClosed] after Leave, else the cause, such as [ErrQueueNotFound].
func (m *Member) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// SetCredit changes how many messages the member may hold, 0 to [MaxCredit]. Zero pauses.
func (m *Member) SetCredit(credit int) error {
	if err := validateCredit(credit); err != nil {
		return err
	}
	m.mu.Lock()
	m.credit = credit
	m.mu.Unlock()
	m.pull.refill()
	return nil
}

// Leave gives what is unsettled to other members at once and waits until the
// member has ended. Leaving twice is harmless.
func (m *Member) Leave() {
	m.pull.stop()
	<-m.done
}

// free is how many more messages may be asked for.
func (m *Member) free() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.credit - len(m.held)
}

// deliver takes a message from the broker.
func (m *Member) deliver(msg *nats.Msg) {
	d, err := m.newDelivery(msg)
	if err != nil {
		m.c.cfg.Logger.Error("message without metadata", "queue", m.Queue().Name, "error", err)
		return
	}
	if m.filter != nil && !m.filter.Match(newEntry(d.Message).event) {
		m.c.settled(msg.Ack())
		m.pull.refill()
		return
	}
	m.mu.Lock()
	if m.left {
		m.mu.Unlock()
		m.c.settled(msg.Nak())
		return
	}
	late := m.held[d.Seq]
	m.held[d.Seq] = d
	m.mu.Unlock()
	if late != nil {
		late.settle() // its ack wait was over before our own clock said so
	}
	d.start()
	if d.Attempt > m.Queue().MaxAttempts {
		// No member lived to settle the last attempt. It must not reach, and
		// perhaps kill, another one.
		m.bury(d)
		return
	}
	m.deliveries <- d // has room for every credit
}

// bury dead-letters d in the background.
func (m *Member) bury(d *Delivery) {
	m.burying.Go(func() {
		ctx, cancel := m.c.withTimeout(m.c.ctx)
		defer cancel()
		if err := d.Reject(ctx, "not settled within max_attempts deliveries"); err != nil && !errors.Is(err, ErrSettled) {
			m.c.cfg.Logger.Warn("dead letter not written, trying again", "queue", m.Queue().Name, "seq", d.Seq, "error", err)
		}
	})
}

// forget makes room for another message.
func (m *Member) forget(d *Delivery) {
	m.mu.Lock()
	if m.held[d.Seq] == d {
		delete(m.held, d.Seq)
	}
	m.mu.Unlock()
	m.pull.refill()
}

// end gives back what is unsettled.
func (m *Member) end(err error) {
	m.mu.Lock()
	m.left = true
	m.err = err
	held := m.held
	m.held = make(map[uint64]*Delivery)
	m.mu.Unlock()
	m.burying.Wait()
	for _, d := range held {
		d.giveBack()
	}
	close(m.done)
}

// settled logs an acknowledgement that could not be sent: the message comes again.
func (c *Client) settled(err error) {
	if err != nil && c.ctx.Err() == nil {
		c.cfg.Logger.Warn("acknowledgement not sent, the message comes again", "error", err)
	}
}
