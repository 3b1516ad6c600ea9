package msgq_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// BenchmarkResume5000 has 5,000 readers resume 300 messages each, from
// positions that overlap and that the ring does not reach.
func BenchmarkResume5000(b *testing.B) {
	const readers, each, stored = 5000, 300, 20_000
	s := msgqtest.NewServer(b)
	s.Connect(nil) // makes the streams
	fill(b, s.URL, stored, 200)
	var spent time.Duration
	reads := 0
	for b.Loop() {
		c := s.Connect(nil) // its ring begins at the end, its cache is empty
		var wg sync.WaitGroup
		var got atomic.Int64
		start := time.Now()
		for i := range readers {
			wg.Go(func() {
				from := msgq.Position{Seq: uint64(i * (stored - each) / readers), Epoch: c.Epoch()}
				sub, err := c.Live(context.Background(), msgq.Live{Topics: []string{"bench.>"}, From: msgq.After(from)})
				if err != nil {
					b.Error(err)
					return
				}
				defer sub.Close()
				for n := 0; n < each; {
					batch, err := sub.Next(context.Background())
					if err != nil {
						b.Error(err)
						return
					}
					n += len(batch.Messages)
					got.Add(int64(len(batch.Messages)))
				}
			})
		}
		wg.Wait()
		spent += time.Since(start)
		reads += c.CatchUpReads()
		c.Close()
	}
	b.ReportMetric(readers*float64(b.N)/spent.Seconds(), "readers/s")
	b.ReportMetric(float64(reads)/float64(b.N), "reads")
}

// BenchmarkPublishWhileOthersCatchUp is the time that one publish takes while
// 500 readers read 2,000 messages each from all over the stream.
func BenchmarkPublishWhileOthersCatchUp(b *testing.B) {
	const readers, each, stored = 500, 2000, 100_000
	s := msgqtest.NewServer(b)
	s.Connect(nil)
	fill(b, s.URL, stored, 500)
	c := s.Connect(func(cfg *msgq.Config) { cfg.CatchUpBytes = 4 << 20 })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			for ctx.Err() == nil { // until the benchmark has its figures
				from := msgq.Position{Seq: uint64(i * (stored - each) / readers)}
				sub, err := c.Live(ctx, msgq.Live{Topics: []string{"bench.>"}, From: msgq.After(from)})
				if err != nil {
					return
				}
				for n := 0; n < each && err == nil; {
					var batch msgq.Batch
					batch, err = sub.Next(ctx)
					n += len(batch.Messages)
				}
				sub.Close()
			}
		})
	}
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := c.Publish(ctx, msgq.Message{Topic: "other", Data: []byte("x")}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	cancel()
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkLiveFanout has 1,000 readers at the head take 3,000 small messages.
func BenchmarkLiveFanout(b *testing.B) {
	for name, filter := range map[string]string{"plain": "", "filter": `data.k == "v"`} {
		b.Run(name, func(b *testing.B) { fanout(b, filter) })
	}
}

func fanout(b *testing.B, filter string) {
	const readers, messages = 1000, 3000
	s := msgqtest.NewServer(b)
	c := s.Connect(nil)
	subs := make([]*msgq.LiveSubscription, readers)
	for i := range subs {
		var err error
		if subs[i], err = c.Live(b.Context(), msgq.Live{Topics: []string{"bench.>"}, Filter: filter}); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(subs[i].Close)
	}
	b.ReportAllocs()
	for b.Loop() {
		var wg sync.WaitGroup
		for _, sub := range subs {
			wg.Go(func() {
				for n := 0; n < messages; {
					batch, err := sub.Next(context.Background())
					if err != nil {
						b.Error(err)
						return
					}
					n += len(batch.Messages)
				}
			})
		}
		fill(b, s.URL, messages, 200)
		wg.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(readers*messages), "ns/delivery")
}

// BenchmarkLiveOwnTopics has 5,000 readers wait for one topic each, while
// 3,000 messages come for ten of them.
func BenchmarkLiveOwnTopics(b *testing.B) {
	const readers, messages = 5000, 3000
	s := msgqtest.NewServer(b)
	c := s.Connect(nil)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var got atomic.Int64
	for i := range readers {
		sub, err := c.Live(ctx, msgq.Live{Topics: []string{"bench." + fmt.Sprint(i)}})
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			defer sub.Close()
			for {
				batch, err := sub.Next(ctx)
				if err != nil {
					return
				}
				got.Add(int64(len(batch.Messages)))
			}
		})
	}
	want := int64(0)
	for b.Loop() {
		fill(b, s.URL, messages, 200)
		want += messages
		msgqtest.Eventually(b, "all are there", func() bool { return got.Load() == want })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/messages, "ns/message")
	cancel()
	wg.Wait()
}

// fill stores n messages as fast as the broker takes them.
func fill(tb testing.TB, url string, n, size int) {
	tb.Helper()
	js := msgqtest.JetStream(tb, url)
	data := fmt.Appendf(nil, `{"k":"v","pad":%q}`, strings.Repeat("x", size))
	const batch = 500
	for first := 0; first < n; first += batch {
		var msgs []*nats.Msg
		for i := first; i < min(n, first+batch); i++ {
			msgs = append(msgs, &nats.Msg{Subject: "events.t.bench." + fmt.Sprint(i%10), Data: data, Header: nats.Header{
				"Msgq-Id": {fmt.Sprint(i)}, "Msgq-Content-Type": {"application/json"}}})
		}
		if _, err := jetstreamext.PublishMsgBatch(context.Background(), js, msgs); err != nil {
			tb.Fatal(err)
		}
	}
}
