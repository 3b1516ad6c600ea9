package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

// stream is a source in memory.
type stream struct {
	filters *filter.Index

	mu    sync.Mutex
	epoch string
	log   []*msgq.Message
	grown chan struct{}
}

func newStream() *stream {
	return &stream{filters: filter.NewIndex(1000), epoch: "e", grown: make(chan struct{})}
}

func (s *stream) publish(topics ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, topic := range topics {
		seq := uint64(len(s.log)) + 1
		s.log = append(s.log, &msgq.Message{
			Seq: seq, Topic: topic, ID: fmt.Sprint(seq), DataContentType: "application/json", Data: fmt.Appendf(nil, `{"n":%d}`, seq),
		})
	}
	close(s.grown)
	s.grown = make(chan struct{})
}

// replace makes it another stream, with so many messages.
func (s *stream) replace(epoch string, messages int) {
	s.mu.Lock()
	s.epoch, s.log = epoch, nil
	s.mu.Unlock()
	s.publish(slices.Repeat([]string{"a"}, messages)...)
}

func (s *stream) Live(_ context.Context, l msgq.Live) (Reader, error) {
	r := &reader{s: s, patterns: l.Topics}
	if l.Filter != "" {
		var err error
		if r.filter, err = s.filters.Add(l.Filter); err != nil {
			return nil, err
		}
	}
	r.Skip()
	return r, nil
}

func (s *stream) Head(context.Context) (Head, error) {
	r := &reader{s: s, patterns: []string{">"}}
	r.Skip()
	return fakeHead{r}, nil
}

type fakeHead struct{ *reader }

func (h fakeHead) Next(ctx context.Context) (Batch, error) {
	b, err := h.reader.Next(ctx)
	holding := func(i int) []*filter.Entry { return h.s.filters.Match(event(b.Messages[i])).Entries() }
	return Batch{Messages: b.Messages, Filters: holding, Position: b.Position, Reset: b.Reset}, err
}

func event(m *msgq.Message) *filter.Event {
	return &filter.Event{Topic: m.Topic, ID: m.ID, Seq: m.Seq, DataContentType: m.DataContentType, Data: m.Data}
}

// reader reads a stream. Its batches are small, so that there are many.
type reader struct {
	s        *stream
	patterns []string
	filter   *filter.Entry
	pos      msgq.Position
	searches bool // as one that looks for a time
}

const fakeBatch = 7

func (r *reader) Wait(ctx context.Context) error {
	before := *r
	defer func() { *r = before }()
	_, err := r.Next(ctx)
	return err
}

func (r *reader) Next(ctx context.Context) (msgq.Batch, error) {
	for {
		r.s.mu.Lock()
		epoch, log, grown := r.s.epoch, r.s.log, r.s.grown
		r.s.mu.Unlock()
		if epoch != r.pos.Epoch {
			r.pos = msgq.Position{Epoch: epoch}
			return msgq.Batch{Position: r.pos, Reset: true}, nil
		}
		if r.pos.Seq < uint64(len(log)) {
			return r.take(log[r.pos.Seq:]), nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return msgq.Batch{}, ctx.Err()
		}
	}
}

func (r *reader) take(log []*msgq.Message) msgq.Batch {
	var b msgq.Batch
	for _, m := range log[:min(fakeBatch, len(log))] {
		r.pos.Seq, r.searches = m.Seq, false
		covered := slices.ContainsFunc(r.patterns, func(p string) bool { return msgq.MatchTopic(p, m.Topic) })
		if covered && (r.filter == nil || r.filter.Filter().Match(event(m))) {
			b.Messages = append(b.Messages, m)
		}
	}
	b.Position = r.pos
	return b
}

func (r *reader) Position() msgq.Position         { return r.pos }
func (r *reader) Recovered() bool                 { return true }
func (r *reader) Handover() (msgq.Position, bool) { return r.pos, !r.searches }
func (r *reader) Resume(pos msgq.Position)        { r.pos = pos }
func (r *reader) Filter() *filter.Entry           { return r.filter }

func (r *reader) Skip() msgq.Position {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.pos = msgq.Position{Seq: uint64(len(r.s.log)), Epoch: r.s.epoch}
	return r.pos
}

func (r *reader) Close() {
	if r.filter != nil {
		r.s.filters.Remove(r.filter)
	}
}

// sink is a client. While it is stalled it has taken one frame and is writing it.
type sink struct {
	mu       sync.Mutex
	sub      *Subscription
	takes    time.Duration // to take a frame
	stalled  bool
	writing  bool
	woken    bool
	idle     chan struct{}
	frames   []string
	overflow int
}

func newSink() *sink { return &sink{idle: make(chan struct{})} }

func (k *sink) Offer(f *Frame) bool {
	if k.takes > 0 {
		<-time.After(k.takes)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writing {
		return false
	}
	k.frames = append(k.frames, string(f.Keep()))
	k.writing = k.stalled
	return true
}

func (k *sink) Wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.woken = true
	k.pull()
}

func (k *sink) pull() {
	for k.woken && !k.writing {
		frame := k.sub.Pull()
		if frame == nil {
			k.woken = false
			return
		}
		k.frames = append(k.frames, string(frame))
		k.writing = k.stalled
	}
}

// stall and resume say whether the client takes what is written.
func (k *sink) stall() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stalled = true
}

func (k *sink) resume() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stalled, k.writing = false, false
	k.pull()
	close(k.idle)
	k.idle = make(chan struct{})
}

func (k *sink) Ready(ctx context.Context) error {
	for {
		k.mu.Lock()
		writing, idle := k.writing, k.idle
		k.mu.Unlock()
		if !writing {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (k *sink) Put(ctx context.Context, frame []byte) error {
	for {
		if err := k.Ready(ctx); err != nil {
			return err
		}
		if k.Offer(&Frame{bytes: frame}) {
			return nil
		}
	}
}

func (k *sink) Overflow() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.overflow++
}

// got is all that came, in one text.
func (k *sink) got() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.frames, "")
}

func (k *sink) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.frames)
}

// plain is an encoding that tests can read: "5 6 " are messages.
type plain struct{ key string }

func (p plain) Key() string           { return p.key }
func (p plain) Begin(b []byte) []byte { return b }
func (p plain) Delivered(int)         {}
func (p plain) Message(b []byte, pos msgq.Position, _ []byte) []byte {
	return fmt.Appendf(b, "%d ", pos.Seq)
}

func (p plain) Position(b []byte, pos msgq.Position) []byte {
	return fmt.Appendf(b, "position:%d ", pos.Seq)
}

func (p plain) Skipped(b []byte, from, to uint64) []byte {
	return fmt.Appendf(b, "skipped:%d-%d ", from, to)
}

func (p plain) Reset(b []byte, pos msgq.Position) []byte {
	return fmt.Appendf(b, "reset:%s:%d ", pos.Epoch, pos.Seq)
}
func (p plain) End(b []byte, start int) []byte { return b[start:] }

// keptBytes is what its group keeps for those that lag. Not beside the lane.
func (s *Subscription) keptBytes() int {
	if s.group == nil {
		return 0
	}
	return s.group.bytes
}
