package msgq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// backlog is how many messages each iteration consumes from the start of the stream.
const backlog = 50_000

var runs atomic.Int64

// BenchmarkSubscribe consumes with a handler and acknowledgement, beside a raw
// consumer that does as much: one iteration is a new durable that reads the whole backlog.
func BenchmarkSubscribe(b *testing.B) {
	s := msgqtest.NewServer(b)
	c := s.Connect(func(cfg *msgq.Config) { cfg.MaxQueues = msgq.QueueLimit })
	js := msgqtest.JetStream(b, s.URL)
	fillStream(b, js, "events.t.a", backlog)
	for _, concurrency := range []int{1, 64} {
		b.Run(fmt.Sprintf("raw/concurrency=%d", concurrency), func(b *testing.B) {
			benchmarkRaw(b, js, concurrency, "events.t.a")
		})
		// With the second subject that a queue has, of its retries: the broker searches twice.
		b.Run(fmt.Sprintf("raw/subjects=2,concurrency=%d", concurrency), func(b *testing.B) {
			benchmarkRaw(b, js, concurrency, "events.t.a", "events.q.raw.>")
		})
		b.Run(fmt.Sprintf("msgq/concurrency=%d", concurrency), func(b *testing.B) {
			benchmarkSubscribe(b, c, "a", concurrency)
		})
	}
}

// BenchmarkSubscribeManyTopics is the same over 5,000 topics: with two subjects the broker looks at each of those that a
// block of the stream has before each message, until it is near the end of the block.
func BenchmarkSubscribeManyTopics(b *testing.B) {
	s := msgqtest.NewServer(b)
	c := s.Connect(func(cfg *msgq.Config) { cfg.MaxQueues = msgq.QueueLimit })
	js := msgqtest.JetStream(b, s.URL)
	for i := range backlog {
		if _, err := js.PublishAsync(fmt.Sprintf("events.t.a.%d", i%5_000), make([]byte, 128)); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 999 {
			<-js.PublishAsyncComplete()
		}
	}
	b.Run("raw", func(b *testing.B) { benchmarkRaw(b, js, 64, "events.t.a.>") })
	b.Run("raw/subjects=2", func(b *testing.B) { benchmarkRaw(b, js, 64, "events.t.a.>", "events.q.raw.>") })
	b.Run("msgq", func(b *testing.B) { benchmarkSubscribe(b, c, "a.>", 64) })
}

func benchmarkSubscribe(b *testing.B, c *msgq.Client, pattern string, concurrency int) {
	b.ReportAllocs()
	for b.Loop() {
		name := fmt.Sprint("q", runs.Add(1)) // the server takes its time to forget a consumer
		var n atomic.Int64
		done := make(chan struct{})
		sub, err := c.Subscribe(b.Context(), msgq.Queue{Name: name, Topics: []string{pattern}, From: msgq.FromAll()},
			func(context.Context, *msgq.Delivery) error {
				if n.Add(1) == backlog {
					close(done)
				}
				return nil
			}, msgq.WithConcurrency(concurrency))
		if err != nil {
			b.Fatal(err)
		}
		<-done
		sub.Drain()
		if err := c.DeleteQueue(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(backlog*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func benchmarkRaw(b *testing.B, js jetstream.JetStream, concurrency int, subjects ...string) {
	b.ReportAllocs()
	for b.Loop() {
		name := fmt.Sprint("raw", runs.Add(1))
		consumer, err := js.CreateConsumer(b.Context(), "EVENTS", jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 20_000, FilterSubjects: subjects,
		})
		if err != nil {
			b.Fatal(err)
		}
		var n atomic.Int64
		done := make(chan struct{})
		handle := func(m jetstream.Msg) {
			if err := m.Ack(); err != nil {
				b.Error(err)
			}
			if n.Add(1) == backlog {
				close(done)
			}
		}
		var workers sync.WaitGroup
		msgs := make(chan jetstream.Msg)
		consume := handle
		if concurrency > 1 {
			consume = func(m jetstream.Msg) { msgs <- m }
			for range concurrency {
				workers.Go(func() {
					for m := range msgs {
						handle(m)
					}
				})
			}
		}
		sub, err := consumer.Consume(consume)
		if err != nil {
			b.Fatal(err)
		}
		<-done
		sub.Stop()
		<-sub.Closed()
		close(msgs)
		workers.Wait()
		if err := js.DeleteConsumer(b.Context(), "EVENTS", name); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(backlog*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// fillStream stores n messages by hand: that is faster than one publish after the other.
func fillStream(t testing.TB, js jetstream.JetStream, subject string, n int) {
	t.Helper()
	for i := range n {
		msg := nats.NewMsg(subject)
		msg.Header["Msgq-Id"] = []string{fmt.Sprint(i)}
		msg.Header["Msgq-Content-Type"] = []string{"application/octet-stream"}
		msg.Data = make([]byte, 128)
		if _, err := js.PublishMsgAsync(msg); err != nil {
			t.Error(err)
			return
		}
		if i%1000 == 999 || i == n-1 {
			<-js.PublishAsyncComplete()
		}
	}
}
