package msgq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// MaxCredit is the most unsettled messages that one member may hold. Of large messages it
// holds fewer: no more come while it has 16 MiB.
const MaxCredit = 1000

// Member takes part in a queue: it is given messages up to its credit and
// settles each. [Client.Subscribe] does that with a handler; use a Member where
// something else decides when a message is done.
type Member struct {
	c          *Client
	queue      atomic.Pointer[Queue] // as the broker had it when last looked at
	start      uint64
	recovered  bool
	filter     *filter.Filter
	pull       *puller
	deliveries chan *Delivery
	acks       atomic.Pointer[count]
	paced      *pacedCredit // of handlers here, which keep what they hold alive until it is settled; else nil
	born       time.Time    // of its clock

	mu      sync.Mutex
	credit  int
	asked   asked                     // from the broker, and not yet here
	held    map[address]*Delivery     // with the caller or on its way to it
	parked  []*Delivery               // of them: they wait for a place
	bytes   int64                     // of all held
	size    int64                     // of a message, as a guess
	handed  uint64                    // put into deliveries so far
	newest  uint64                    // highest stored of all but copies
	firsts  map[address]time.Duration // first delivery of those that failed here
	burying sync.WaitGroup
	closed  bool // deliveries
	ended   bool
	err     error
	retend  chan struct{} // wakes the keeper
	retired chan struct{} // nothing arrives any more
	leaving chan struct{}
	once    sync.Once
	done    chan struct{}
}

// Join makes a member of the queue, creating the queue if it does not exist.
// Of one that exists other topics or another filter are [ErrQueueMismatch]; its other settings
// stay, whatever is asked for: [Client.PutQueue] changes them. The ack wait of a delivery begins when it is taken from
// [Member.Deliveries]. Errors: [ErrInvalidQueue], [ErrInvalidTopic], [ErrInvalidFilter], [ErrInvalidFrom], [ErrQueueMismatch],
// [ErrQueueForced], [ErrQueueNotFound] with Existing, [ErrTooManyQueues], [ErrUnavailable], [ErrClosed], or that of ctx.
func (c *Client) Join(ctx context.Context, q Queue, credit int) (*Member, error) {
	if err := validateCredit(credit); err != nil {
		return nil, err
	}
	return c.join(ctx, q, credit, nil)
}

// join makes a member, with handlers here if they are set.
func (c *Client) join(ctx context.Context, q Queue, credit int, handlers *subscribeOptions) (*Member, error) {
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	q, at, err := c.openQueue(ctx, q)
	if err != nil {
		return nil, err
	}
	f, err := q.compile()
	if err != nil {
		return nil, err
	}
	m := &Member{
		c: c, start: at.delivered, recovered: !at.partial, filter: f, credit: credit, born: time.Now(), size: guessedSize,
		held:   make(map[address]*Delivery),
		firsts: make(map[address]time.Duration),
		retend: make(chan struct{}, 1), retired: make(chan struct{}),
		leaving: make(chan struct{}), done: make(chan struct{}),
	}
	m.queue.Store(&q)
	room := MaxCredit // whatever the credit may become
	if handlers != nil {
		prefetch := handlers.prefetchFor(q)
		m.paced = newPacedCredit(m, handlers.concurrency, prefetch)
		room = 2 * (handlers.concurrency + prefetch) // for messages, and copies beside them
	}
	m.deliveries = make(chan *Delivery, room)
	m.acks.Store(c.counts.acknowledged(q.Name, at.created))
	m.pull, err = newPuller(c, m, at)
	if err != nil {
		return nil, err
	}
	c.roster.join(m.pull)
	if !c.begin(m.run, m.keep) {
		return nil, ErrClosed
	}
	return m, nil
}

func validateCredit(credit int) error {
	if credit < 0 || credit > MaxCredit {
		return fmt.Errorf("%w: credit %d, 0 to %d are allowed", ErrInvalidQueue, credit, MaxCredit)
	}
	return nil
}

// Queue is the queue with its settings as the broker has them. A change reaches
// members at once, and within 10 s where the connection loses word of it.
func (m *Member) Queue() Queue { return *m.queue.Load() }

// Start is the position from which the queue went on when the member joined.
func (m *Member) Start() uint64 { return m.start }

// Recovered is false where joining created the queue and messages that its From asked for are gone.
func (m *Member) Recovered() bool { return m.recovered }

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
	m.setCredit(credit)
	return nil
}

func (m *Member) setCredit(credit int) {
	m.mu.Lock()
	m.credit = credit
	m.unpark()
	m.mu.Unlock()
	m.pull.refill()
}

// Leave gives what is unsettled to other members at once and waits until the
// member has ended. Leaving twice is harmless.
func (m *Member) Leave() {
	m.once.Do(func() { close(m.leaving) })
	m.retire()
	<-m.done
}

// retire takes no more, and returns when nothing arrives any more. What is here can
// be settled until the member leaves.
func (m *Member) retire() {
	m.pull.stop()
	<-m.retired
}

// run is the member's life.
func (m *Member) run() {
	defer close(m.done)
	defer m.c.roster.leave(m.pull)
	err := m.pull.run()
	m.pull.close() // from here on nothing arrives, so what is given back goes to others
	ours := errors.Is(err, ErrClosed)
	if ours {
		m.closeDeliveries()
	}
	close(m.retired)
	if ours {
		select {
		case <-m.leaving:
		case <-m.c.ctx.Done():
		}
	}
	m.end(err)
}

// closeDeliveries ends the workers of a subscription. Members of others watch Done.
func (m *Member) closeDeliveries() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paced != nil && !m.closed {
		m.closed = true
		close(m.deliveries)
	}
}

// end gives back what is unsettled; of a queue that is gone there is nobody to give it to.
func (m *Member) end(err error) {
	m.mu.Lock()
	m.ended = true
	m.err = err
	m.mu.Unlock()
	m.closeDeliveries()
	m.burying.Wait()
	ours := errors.Is(err, ErrClosed)
	if ours {
		m.giveBackWaiting()
	}
	var last []*Delivery
	for _, d := range m.holding() {
		switch {
		case !ours:
		case m.paced == nil && d.Attempt >= m.Queue().MaxAttempts:
			last = append(last, d)
			continue
		default:
			d.giveBack()
		}
		d.settled.Store(true)
	}
	_, _ = parallel(context.Background(), last, func(ctx context.Context, d *Delivery) (bool, error) {
		return true, m.giveUp(ctx, d) // nobody may be there to be given it once more
	})
	for _, d := range last { // the broker does not answer: who is given it next buries it
		d.giveBack()
	}
}

// settled logs an acknowledgement that could not be sent: the message comes again.
func (c *Client) settled(err error) {
	if err != nil && c.ctx.Err() == nil && !errors.Is(err, ErrSettled) {
		c.cfg.Logger.Warn("acknowledgement not sent, the message comes again", "error", err)
	}
}

// deliver takes a message from the broker.
func (m *Member) deliver(msg *nats.Msg, reply ackReply, now time.Duration, asked bool) {
	d := m.newDelivery(msg, reply, now)
	if m.paced == nil { // workers open it themselves, several at once
		d.open()
		if !m.wants(d) {
			m.c.settled(d.ack(now))
			m.passed(d, asked)
			return
		}
	}
	if giveBack := m.hold(d, asked); giveBack != nil {
		giveBack(d)
	}
}

// wants is false for what the filter passes over, and for a copy that outlived its message's TTL.
func (m *Member) wants(d *Delivery) bool {
	if !d.expires.IsZero() && time.Now().After(d.expires) {
		d.lapsed = true
		return false
	}
	return m.filter == nil || m.c.tail.filters.check(m.filter, newEntry(d.Message).event)
}
