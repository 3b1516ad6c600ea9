package wsconn

import (
	"context"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/fanout"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// liveSub takes a live subscription's frames to the connection.
type liveSub struct {
	c       *conn
	id      string
	request fanout.Request
	forced  string // the token's filter
	sub     *fanout.Subscription
	stopped bool // under the outbox's lock: nothing more is written
}

var overflows = map[string]fanout.Overflow{"": fanout.CatchUp, "catchup": fanout.CatchUp, "skip": fanout.Skip, "close": fanout.Close}

func newLiveSub(c *conn, r request) (*liveSub, error) {
	overflow, ok := overflows[r.Overflow]
	if !ok {
		return nil, badRequest(fmt.Sprintf("overflow: %.64q, catchup, skip or close is expected", r.Overflow))
	}
	from, err := wire.ParseFrom(r.From)
	if err != nil {
		return nil, err
	}
	grant := c.grant.Load()
	if err := grant.Subscribes(r.Topics...); err != nil {
		return nil, err
	}
	filter, err := grant.Narrow(r.Filter)
	if err != nil {
		return nil, err
	}
	s := &liveSub{c: c, id: r.ID, forced: grant.Filter, request: fanout.Request{
		Live: msgq.Live{Topics: r.Topics, Filter: filter, From: from}, Overflow: overflow, Encoding: newEncoding(r.ID, c.h.live),
	}}
	if s.sub, err = c.h.opts.Hub.Subscribe(c.ctx, s.request, s); err != nil {
		return nil, err
	}
	reader := s.sub.Reader()
	pos := reader.Position()
	c.answer(subscribed{Type: "subscribed", ID: r.ID, Ref: r.Ref, Epoch: pos.Epoch, Seq: pos.Seq, Recovered: reader.Recovered()})
	s.sub.Start()
	return s, nil
}

func (s *liveSub) stop() {
	s.c.out.stop(s)
	s.sub.Stop()
}

// ended is false: a live subscription goes on as long as its connection.
func (s *liveSub) ended() bool { return false }

// Offer is [fanout.Sink]'s, and so are the other four.
func (s *liveSub) Offer(f *fanout.Frame) bool { return s.c.out.offer(s, f) }

// Wake has the connection pull.
func (s *liveSub) Wake() { s.c.out.pull(s) }

// Ready waits until all is written.
func (s *liveSub) Ready(ctx context.Context) error { return s.c.out.drained(ctx) }

// Put takes a frame while the subscription catches up.
func (s *liveSub) Put(ctx context.Context, frame []byte) error { return s.c.out.putFrame(ctx, frame) }

// Overflow closes the connection: the client wanted that.
func (s *liveSub) Overflow() { s.c.close(closeStalled, "the client does not keep up") }

// encoding makes frames of objects with newlines between.
type encoding struct {
	key    string
	prefix []byte // of a message
	id     string // as JSON
	sent   prometheus.Counter
}

func newEncoding(id string, sent prometheus.Counter) *encoding {
	return &encoding{key: "ws " + id, prefix: messagePrefix(id), id: string(wire.Line(id)), sent: sent}
}

// messagePrefix is what a message begins with.
func messagePrefix(id string) []byte {
	return append(append([]byte(`{"type":"message","id":`), wire.Line(id)...), ',')
}

// Key is [fanout.Encoding]'s, and so are the others.
func (e *encoding) Key() string { return e.key }

// Begin makes room for the frame's header.
func (e *encoding) Begin(b []byte) []byte { return beginFrame(b) }

// Message appends a message.
func (e *encoding) Message(b []byte, _ msgq.Position, body []byte) []byte {
	return append(append(append(b, e.prefix...), body...), '\n')
}

// Position appends a position.
func (e *encoding) Position(b []byte, pos msgq.Position) []byte {
	b = append(append(append(b, `{"type":"position","id":`...), e.id...), `,"seq":`...)
	return append(strconv.AppendUint(b, pos.Seq, 10), '}', '\n')
}

// Skipped appends what was left out.
func (e *encoding) Skipped(b []byte, from, to uint64) []byte {
	return append(append(b, wire.Line(skipped{Type: "skipped", ID: e.name(), From: from, To: to})...), '\n')
}

// Reset appends that it goes on elsewhere.
func (e *encoding) Reset(b []byte, pos msgq.Position) []byte {
	return append(append(b, wire.Line(subscribed{Type: "subscribed", ID: e.name(), Epoch: pos.Epoch, Seq: pos.Seq})...), '\n')
}

// End leaves the last newline out.
func (e *encoding) End(b []byte, start int) []byte { return endFrame(b[:len(b)-1], start) }

// Delivered counts.
func (e *encoding) Delivered(n int) { e.sent.Add(float64(n)) }

func (e *encoding) name() string { return e.key[len("ws "):] }
