package msgq_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

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

// store stores one message on each topic, at once.
func (b rawStream) store(t *testing.T, topics []string) {
	t.Helper()
	var msgs []*nats.Msg
	for _, topic := range topics {
		msgs = append(msgs, &nats.Msg{Subject: "events.t." + topic, Header: nats.Header{}})
	}
	if _, err := jetstreamext.PublishMsgBatch(t.Context(), b.js, msgs); err != nil {
		t.Fatal(err)
	}
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
	last, err := b.stream(t).GetLastMsgForSubject(t.Context(), "events.t.>") // how many there are to come changes as they expire
	if err != nil {
		t.Fatal(err)
	}
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
		if meta.Sequence.Stream >= last.Sequence {
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
