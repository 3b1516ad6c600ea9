package msgq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Client publishes to and reads from one set of streams over one connection.
// It is safe for concurrent use. [Client.Close] ends it.
type Client struct {
	cfg       Config
	names     names
	nc        *nats.Conn
	js        jetstream.JetStream
	streams   *streams
	tail      *tail
	publisher *publisher
	copier    *publisher // of copies
	counts    *counts
	roster    *roster
	// ackedTags are the last ones that were acknowledged here.
	ackedTags *lru.Cache[string, struct{}]
	// topicLists has room for the one list of topics that is made at a time.
	topicLists chan struct{}
	seeks      seeks
	restoring  sync.Map // queues whose consumer of copies is

	refusal atomic.Pointer[string]    // why the last try to connect failed
	refused sync.Map                  // why others did in this outage
	lost    atomic.Pointer[time.Time] // when the connection was lost; nil while there is one

	ctx     context.Context // ends with Close; the life of everything in the background
	stop    context.CancelFunc
	wg      sync.WaitGroup
	mu      sync.Mutex // of stop and begin: nothing begins when Close waits
	closing sync.Once
}

// rememberedTags bounds ackedTags; a tag has about 100 bytes.
const rememberedTags = 10_000

// Connect opens a client and waits until its streams are there, at most until
// ctx ends; a broker that takes the connection and is silent may make that 2 s longer. Errors: a bad config, or [ErrUnavailable].
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	c, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := c.Ready(ctx); err != nil {
		if why := c.refusal.Load(); why != nil { // more than that time was over
			err = fmt.Errorf("%w: %s", err, *why)
		}
		c.Close()
		return nil, err
	}
	return c, nil
}

// Open returns a client, whether or not the broker is there: it keeps
// connecting, creates missing streams, and does so again after every outage.
// Until then operations fail with [ErrUnavailable]. It waits for a broker that
// does not answer a second, and 2 s for each that takes the connection and is silent.
func Open(cfg Config) (*Client, error) { return open(context.Background(), cfg) }

func open(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c := &Client{cfg: cfg.WithDefaults(), topicLists: make(chan struct{}, 1)}
	c.names = newNames(c.cfg.Stream)
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.streams = newStreams(c)
	c.tail = newTail(c)
	c.counts = newCounts(c)
	c.roster = newRoster(c)
	c.ackedTags, _ = lru.New[string, struct{}](rememberedTags) // the error is for a size of 0
	c.publisher, c.copier = newPublisher(c, c.names.events), newPublisher(c, c.names.later)
	c.disconnected() // until it is connected
	opening, opened := context.WithTimeout(ctx, openTimeout)
	defer opened()
	dialer := newDialer(opening)
	if err := c.dial(dialer); err != nil {
		c.stop()
		return nil, err
	}
	if err := cmp.Or(c.publisher.listen(), c.copier.listen(), c.roster.listen(), c.tail.listen()); err != nil {
		c.stop()
		c.nc.Close()
		return nil, err
	}
	dialer.ctx.Store(&c.ctx) // not before: it might hold up those who listen
	c.wg.Go(c.streams.run)
	c.wg.Go(c.counts.run)
	c.wg.Go(c.roster.run)
	c.wg.Go((&sweeper{c: c, copies: copySweeper{c: c}}).run)
	return c, nil
}

func (c *Client) dial(d *dialer) error {
	opts := []nats.Option{
		nats.Name(c.cfg.Name),
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.cfg.Logger.Warn("broker reported an error", "error", err)
		}),
	}
	nc, err := nats.Connect(c.cfg.URL, append(append(opts, c.cfg.NATSOptions...), c.insist, d.option)...)
	if err != nil { // a broker that is not there is none: it is tried again
		return fmt.Errorf("config: %w", err)
	}
	c.nc = nc
	if c.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout)); err != nil {
		nc.Close()
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// insist sets what the promises rest on, whatever the caller's options say, and calls the caller's handlers too.
func (c *Client) insist(o *nats.Options) error {
	o.RetryOnFailedConnect, o.AllowReconnect, o.MaxReconnect = true, true, -1
	o.ReconnectBufSize = -1       // a publish that was answered with an error must not be stored after the reconnect
	o.IgnoreAuthErrorAbort = true // credentials may be put right while this runs
	o.ConnectedCB = both(c.connected, o.ConnectedCB)
	o.ReconnectedCB = both(c.connected, o.ReconnectedCB)
	o.ReconnectErrCB = bothErr(c.notConnected, o.ReconnectErrCB)
	o.DisconnectedErrCB = bothErr(c.connectionLost, o.DisconnectedErrCB)
	return nil
}

func both(ours, callers nats.ConnHandler) nats.ConnHandler {
	return func(nc *nats.Conn) {
		ours(nc)
		if callers != nil {
			callers(nc)
		}
	}
}

func bothErr(ours func(error), callers nats.ConnErrHandler) nats.ConnErrHandler {
	return func(nc *nats.Conn, err error) {
		ours(err)
		if callers != nil {
			callers(nc, err)
		}
	}
}

func (c *Client) connectionLost(err error) {
	if c.ctx.Err() == nil {
		if err == nil {
			err = errors.New("closed by the broker")
		}
		c.cfg.Logger.Warn("broker connection lost", "error", err)
		c.streams.record(streamState{}, errNotConnected) // until they are looked at again
	}
	c.disconnected()
	c.publisher.disconnected()
	c.copier.disconnected()
}

func (c *Client) connected(nc *nats.Conn) {
	c.lost.Store(nil)
	c.refusal.Store(nil)
	c.refused.Clear()
	c.cfg.Logger.Info("broker connected", "url", nc.ConnectedUrlRedacted())
	c.streams.look()
	c.roster.connected()
}

func (c *Client) disconnected() {
	now := time.Now()
	c.lost.CompareAndSwap(nil, &now)
}

// requestTimeout bounds every request to the broker whose context does not end
// before. The HTTP API promises an answer within 5 s.
const requestTimeout = 4 * time.Second

func (c *Client) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, requestTimeout)
}

// notConnected tells why there is no connection, once for each cause: there may be several brokers, each with its own.
func (c *Client) notConnected(err error) {
	text := err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok {
		op.Source = nil // another port each time
		text = err.Error()
	}
	c.refusal.Store(&text)
	if _, told := c.refused.LoadOrStore(text, true); !told {
		c.cfg.Logger.Warn("broker does not take the connection", "error", err)
	}
}

// Ready waits until the streams are there, at most until ctx ends.
func (c *Client) Ready(ctx context.Context) error {
	return c.streams.ready(ctx)
}

// Check asks the broker whether messages can flow now, to live subscriptions too where there were any. Errors: [ErrUnavailable],
// [ErrClosed].
func (c *Client) Check(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if err := c.streams.check(ctx); err != nil {
		return err
	}
	return c.tail.following()
}

// Outage is how long the broker has been away, 0 while it is connected. One that is
// frozen is noticed after 30 s at most.
func (c *Client) Outage() time.Duration {
	if lost := c.lost.Load(); lost != nil {
		return time.Since(*lost)
	}
	return 0
}

// Epoch names the present life of the stream, empty while it was never seen.
func (c *Client) Epoch() string { return c.streams.current().Epoch }

// MaxData is how many bytes of data fit one message, with room for its headers
// and those of a dead letter; 0 while the broker was never reached.
func (c *Client) MaxData() int64 {
	if payload := c.nc.MaxPayload(); payload > 0 {
		return max(1, payload-headerRoom)
	}
	return 0
}

const headerRoom = 64 << 10

// Close gives unfinished deliveries back to their queues, ends all that runs in
// the background and waits for it. Closing twice is harmless.
// Handlers that still run are not waited for: Stop or Drain their subscriptions before.
func (c *Client) Close() { c.closing.Do(c.close) }

func (c *Client) close() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.wg.Wait()
	c.counts.write()
	c.tail.stop()
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(time.Second) // acks and naks written just now
	}
	c.nc.Close()
}

// begin runs what ends with the client. It is false, and does nothing, when the client is closed.
func (c *Client) begin(all ...func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return false
	}
	for _, f := range all {
		c.wg.Go(f)
	}
	return true
}
