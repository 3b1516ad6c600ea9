package msgq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// countExpired is one of the counts of a queue's messages that the broker does not keep.
const countExpired = "expired"

// countAcknowledged is the other. It names one life of the queue: members of one that
// was deleted may still count for it.
func countAcknowledged(created time.Time) string {
	return "acknowledged-" + strconv.FormatInt(created.UnixNano(), 10)
}

const countsEvery = time.Second

// counts adds up what becomes of queues' messages here, and adds that to counters
// at the broker once a second.
type counts struct {
	c      *Client
	listen sync.Once

	mu   sync.Mutex
	open map[string]*count // by subject
}

// count is what was counted since it was last written.
type count struct {
	n atomic.Int64

	// Written without an answer: written again under the same id, which counts once.
	sent int64
	id   string
}

func newCounts(c *Client) *counts { return &counts{c: c, open: make(map[string]*count)} }

func (k *counts) of(queue, what string) *count {
	subject := k.c.names.countOf(queue, what)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[subject] == nil {
		k.open[subject] = &count{}
	}
	return k.open[subject]
}

// acknowledged counts for one life of the queue, and has its expired messages counted too.
func (k *counts) acknowledged(queue string, created time.Time) *count {
	k.listen.Do(k.countExpired)
	return k.of(queue, countAcknowledged(created))
}

func (k *counts) run() {
	ticker := time.NewTicker(countsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-k.c.ctx.Done():
			return
		case <-ticker.C:
			k.write()
		}
	}
}

// write adds what was counted to the broker's counters. What fails is tried again the next time.
func (k *counts) write() {
	k.mu.Lock()
	open := maps.Clone(k.open)
	k.mu.Unlock()
	for subject, n := range open {
		if n.sent == 0 {
			n.sent, n.id = n.n.Swap(0), nuid.Next()
		}
		if n.sent == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), countsEvery)
		_, err := k.c.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: nats.Header{
			"Nats-Incr":   {"+" + strconv.FormatInt(n.sent, 10)},
			nats.MsgIdHdr: {n.id},
		}})
		cancel()
		if err != nil {
			return // the broker is away
		}
		n.sent = 0
	}
}

// countExpired has the messages counted that retention takes from members: the broker tells
// one of all who listen.
func (k *counts) countExpired() {
	subject := "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED." + k.c.names.events + ".*"
	_, err := k.c.nc.QueueSubscribe(subject, "msgq-expired-"+k.c.names.events, func(msg *nats.Msg) {
		k.of(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:], countExpired).n.Add(1)
	})
	if err != nil {
		k.c.cfg.Logger.Warn("expired messages are not counted", "error", err)
	}
}

// read returns a queue's counts by name.
func (k *counts) read(ctx context.Context, queue string) (map[string]uint64, error) {
	ctx, cancel := k.c.withTimeout(ctx)
	defer cancel()
	last, err := jetstreamext.GetLastMsgsFor(ctx, k.c.js, k.c.names.counts, []string{k.c.names.countsOf(queue)})
	if err != nil {
		return nil, brokerError("count messages", err)
	}
	found := make(map[string]uint64)
	for raw, err := range last {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return nil, brokerError("count messages", err)
		}
		n, err := counterValue(raw)
		if err != nil {
			return nil, brokerError("count messages", err)
		}
		found[raw.Subject[strings.LastIndexByte(raw.Subject, '.')+1:]] = n
	}
	return found, brokerError("count messages", ctx.Err())
}

// counterValue reads what the broker stores for a counter: {"val":"42"}.
func counterValue(raw *jetstream.RawStreamMsg) (uint64, error) {
	var value struct{ Val string }
	if err := json.Unmarshal(raw.Data, &value); err != nil {
		return 0, err
	}
	return strconv.ParseUint(cmp.Or(value.Val, "0"), 10, 64)
}
