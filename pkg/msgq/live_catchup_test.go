package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLiveReadersSeeEachMessageOnceWhileOthersPublish(t *testing.T) {
	readWhilePublishing(t, 20_000, nil)
}

func TestLiveReadersSeeEachMessageOnceOverRestarts(t *testing.T) {
	readWhilePublishing(t, 6000, func(s *msgqtest.Server) {
		s.Stop()
		s.Start()
	})
}

// readWhilePublishing has 60 readers start from everywhere while messages are
// published, and compares what each saw with what the stream holds in the end.
// restart, if there is one, is called at a quarter, half and three quarters.
func readWhilePublishing(t *testing.T, messages int, restart func(*msgqtest.Server)) {
	const readers = 60
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes, cfg.CatchUpBytes = 1<<20, 2<<20 }) // a ring of about 1,300
	b := newRawStream(t, s.URL)
	published := 0
	publish := func(n int) {
		for end := published + n; published < end; {
			if b.publish(t, "a."+fmt.Sprint(published%3), fmt.Sprint(published), 100, 200) == nil {
				published += 100
			}
		}
	}
	publish(messages / 4)

	var wg sync.WaitGroup
	seen := make([]seenBy, readers)
	for i := range readers {
		wg.Go(func() { seen[i] = readToEnd(t, c, randomFrom(i, uint64(published))) })
	}
	for quarter := 1; quarter < 4; quarter++ {
		if restart != nil {
			restart(s)
		}
		publish(messages / 4)
	}
	for b.publish(t, "end", "end", 1, 0) != nil {
		continue
	}
	wg.Wait()
	stored := b.seqs(t)
	for i, got := range seen {
		want := stored[len(stored)-countBehind(stored, got.start):]
		if !slices.Equal(got.seqs, want) {
			t.Errorf("reader %d from %d: %s", i, got.start, difference(got.seqs, want))
		}
	}
}

type seenBy struct {
	start uint64
	seqs  []uint64
}

func randomFrom(i int, head uint64) msgq.From {
	switch i % 4 {
	case 0:
		return msgq.FromAll()
	case 1:
		return msgq.FromLast(1 + rand.IntN(3000))
	case 2:
		return msgq.FromNew()
	default:
		return msgq.After(msgq.Position{Seq: rand.Uint64N(head)})
	}
}

// readToEnd reads up to the message with the id end.
func readToEnd(t *testing.T, c *msgq.Client, from msgq.From) (seen seenBy) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var sub *msgq.LiveSubscription
	for {
		var err error
		if sub, err = c.Live(ctx, msgq.Live{Topics: []string{"a.*", "end"}, From: from}); err == nil {
			break
		}
		if !errors.Is(err, msgq.ErrUnavailable) || ctx.Err() != nil {
			t.Error(err)
			return seen
		}
	}
	defer sub.Close()
	seen.start = sub.Position().Seq
	for {
		batch, err := sub.Next(ctx)
		if err != nil || batch.Reset {
			t.Errorf("after %d messages from %d: reset %v, error %v", len(seen.seqs), seen.start, batch.Reset, err)
			return seen
		}
		for _, m := range batch.Messages {
			seen.seqs = append(seen.seqs, m.Seq)
			if m.ID == "end" {
				return seen
			}
		}
	}
}

func countBehind(seqs []uint64, start uint64) int {
	i, _ := slices.BinarySearch(seqs, start+1)
	return len(seqs) - i
}

func difference(got, want []uint64) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d messages, want %d; message %d has seq %d, want %d", len(got), len(want), i, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d messages, want %d, equal up to there", len(got), len(want))
}

func TestLiveStepsOverWhatWasDeletedExpiredOrForQueues(t *testing.T) {
	s := msgqtest.NewServer(t)
	first := s.Connect(nil)
	b := newRawStream(t, s.URL)
	for i := range 40 { // 2,000 in all, a tenth of them for a queue
		b.must(t, "a", fmt.Sprint(i), 45, 50)
		b.must(t, "", fmt.Sprint(i), 5, 50)
	}
	if _, err := first.Publish(t.Context(), msgq.Message{Topic: "a", ID: "short"}, msgq.WithTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	b.must(t, "a", "last", 100, 50)
	b.delete(t, 1000, 1400) // more than what a chunk is read ahead
	for range 300 {
		seq := 2 + rand.Uint64N(1990)
		b.delete(t, seq, seq)
	}
	msgqtest.Eventually(t, "the short-lived one is gone", func() bool { return !slices.Contains(b.seqs(t), 2001) })
	want := b.seqs(t)
	c := s.Connect(nil) // with an empty ring
	looks := b.count(t, "$JS.API.STREAM.INFO.EVENTS")
	got := readSeqs(t, c, msgq.FromAll(), len(want))
	if !slices.Equal(got, want) {
		t.Error(difference(got, want))
	}
	if n := looks(); n > 6 { // one of FromAll, one behind the long hole, the periodic ones
		t.Errorf("the broker was asked %d times for the stream's state", n)
	}
}

func TestLiveIsToldOfAPurge(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	b.must(t, "a", "x", 1000, 50)
	b.must(t, "a", "x", 1000, 50)
	c := s.Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if _, err := sub.Next(msgqtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	b.purge(t, 1900)
	var got []uint64
	resets := 0
	for len(got) == 0 || got[len(got)-1] != 2000 {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if batch.Reset {
			resets++
			if batch.Position.Seq != 1899 {
				t.Errorf("reset to %d, want 1899", batch.Position.Seq)
			}
		}
		for _, m := range batch.Messages {
			got = append(got, m.Seq)
		}
	}
	if resets != 1 || len(got) > 512+101 {
		t.Errorf("%d resets, %d messages", resets, len(got))
	}
}

func TestLiveForgetsInMemoryWhatTheStreamForgot(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	b := newRawStream(t, s.URL)
	b.must(t, "a", "x", 10, 50)
	b.purge(t, 6)
	msgqtest.Eventually(t, "the ring has let go of it", func() bool {
		sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: 2})})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		return !sub.Recovered() && sub.Position().Seq == 5
	})
}

func TestLiveTellsAFrozenReaderWhereItGoesOn(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes, cfg.MaxBytes = 1<<20, 2<<20 })
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	b := newRawStream(t, s.URL)
	for range 100 {
		b.must(t, "a", "x", 10, 10<<10) // 10 MB through a stream of 2 MB
	}
	stored := b.seqs(t)
	batch, err := sub.Next(msgqtest.Context(t))
	if err != nil || !batch.Reset || batch.Position.Seq != stored[0]-1 {
		t.Fatalf("batch %+v, error %v: want a reset to %d", batch, err, stored[0]-1)
	}
	var got []uint64
	for len(got) < len(stored) {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil || batch.Reset {
			t.Fatalf("batch %+v, error %v", batch, err)
		}
		for _, m := range batch.Messages {
			got = append(got, m.Seq)
		}
	}
	if !slices.Equal(got, stored) {
		t.Error(difference(got, stored))
	}
}

func TestLiveIsToldOfAnotherStreamWhileItCatchesUp(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	for range 10 {
		b.must(t, "a", "old", 500, 50)
	}
	c := s.Connect(nil)
	before := c.Epoch()
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if _, err := sub.Next(msgqtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	deleteStream(t, s.URL, "EVENTS")
	msgqtest.Eventually(t, "the new stream takes messages", func() bool { return b.publish(t, "a", "new", 3, 50) == nil })
	reset := false
	for n := 0; n < 3; {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if batch.Reset && batch.Position.Epoch != before {
			reset, n = true, 0
		}
		for _, m := range batch.Messages {
			if reset && m.ID != "new" {
				t.Fatalf("message %d %s after the reset", m.Seq, m.ID)
			}
			n += map[bool]int{true: 1}[reset]
		}
	}
	again, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: 2, Epoch: before})})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Recovered() || again.Position().Seq != 0 {
		t.Errorf("with the old epoch: recovered %v at %d", again.Recovered(), again.Position().Seq)
	}
}

func TestLiveCatchesUpWithLargeMessagesInBoundedMemory(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	const n = 60
	for range n {
		b.must(t, "a", "x", 1, 200<<10)
	}
	b.must(t, "a", "x", 400, 10)
	c := s.Connect(func(cfg *msgq.Config) { cfg.CatchUpBytes = 3 << 20 })
	var wg sync.WaitGroup
	for start := range 20 {
		wg.Go(func() {
			sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: uint64(start)})})
			if err != nil {
				t.Error(err)
				return
			}
			defer sub.Close()
			for want := uint64(start + 1); want <= n+400; {
				batch, err := sub.Next(msgqtest.Context(t))
				if err != nil {
					t.Error(err)
					return
				}
				for _, m := range batch.Messages {
					if m.Seq != want {
						t.Errorf("seq %d, want %d", m.Seq, want)
						return
					}
					want++
				}
				if bytes := c.CatchUpBytes(); bytes > 3<<20 {
					t.Errorf("%d bytes are held", bytes)
				}
			}
		})
	}
	wg.Wait()
}

func readSeqs(t *testing.T, c *msgq.Client, from msgq.From, n int) (seqs []uint64) {
	t.Helper()
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}, From: from})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for len(seqs) < n {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil || batch.Reset {
			t.Fatalf("after %d messages: reset %v, error %v", len(seqs), batch.Reset, err)
		}
		for _, m := range batch.Messages {
			seqs = append(seqs, m.Seq)
		}
	}
	return seqs
}

// rawStream writes to and reads from the stream without the client under test.
type rawStream struct {
	nc *nats.Conn
	js jetstream.JetStream
}

func newRawStream(t *testing.T, url string) rawStream {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return rawStream{nc, js}
}

// publish stores n messages at once; without a topic they are for a queue.
func (b rawStream) publish(t *testing.T, topic, id string, n, size int) error {
	subject := "events.t." + topic
	if topic == "" {
		subject = "events.q.some.topic"
	}
	msgs := make([]*nats.Msg, n)
	for i := range msgs {
		msgs[i] = &nats.Msg{Subject: subject, Header: nats.Header{"Msgq-Id": {id}}, Data: []byte(strings.Repeat("x", size))}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := jetstreamext.PublishMsgBatch(ctx, b.js, msgs)
	return err
}

func (b rawStream) must(t *testing.T, topic, id string, n, size int) {
	t.Helper()
	if err := b.publish(t, topic, id, n, size); err != nil {
		t.Fatal(err)
	}
}

func (b rawStream) stream(t *testing.T) jetstream.Stream {
	t.Helper()
	stream, err := b.js.Stream(msgqtest.Context(t), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func (b rawStream) delete(t *testing.T, from, to uint64) {
	t.Helper()
	for seq := from; seq <= to; seq++ {
		if err := b.stream(t).DeleteMsg(t.Context(), seq); err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			t.Fatal(err)
		}
	}
}

// purge removes everything before seq.
func (b rawStream) purge(t *testing.T, seq uint64) {
	t.Helper()
	if err := b.stream(t).Purge(t.Context(), jetstream.WithPurgeSequence(seq)); err != nil {
		t.Fatal(err)
	}
}

// seqs lists what the stream holds for live readers.
func (b rawStream) seqs(t *testing.T) (seqs []uint64) {
	t.Helper()
	consumer, err := b.stream(t).OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{"events.t.>"}, HeadersOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(msgqtest.Context(t)))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, meta.Sequence.Stream)
		if meta.NumPending == 0 {
			return seqs
		}
	}
}

// count counts messages on a subject from now on.
func (b rawStream) count(t *testing.T, subject string) func() int {
	t.Helper()
	sub, err := b.nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return func() int {
		_ = b.nc.Flush()
		n, _, _ := sub.Pending()
		return n
	}
}
