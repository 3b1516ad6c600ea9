package msgq_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// waitingRetries wait for a retry in an hour.
const waitingRetries = 10_000

// BenchmarkSubscribeBesideWaitingRetries has two queues read the same backlog in turns, of
// which one has waitingRetries. ratio is its rate to that of the other, the median of the iterations.
func BenchmarkSubscribeBesideWaitingRetries(b *testing.B) {
	s := msgqtest.NewServer(b)
	c, js := s.Connect(nil), msgqtest.JetStream(b, s.URL)
	plain := msgq.Queue{Name: "plain", Topics: []string{"now", "never"}} // as many as the other, which cost
	waiting := msgq.Queue{Name: "waiting", Topics: []string{"now", "later"}}
	readBacklog(b, c, plain, 0)
	readBacklog(b, c, waiting, 0)
	fillStream(b, js, "events.t.later", waitingRetries)
	readBacklog(b, c, waiting, waitingRetries)
	info, err := c.QueueInfo(b.Context(), waiting.Name)
	if err != nil || info.WaitingRetry != waitingRetries {
		b.Fatalf("%+v, %v, want %d waiting", info, err, waitingRetries)
	}
	turns := []msgq.Queue{plain, waiting}
	var ratios, rates []float64
	for b.Loop() {
		fillStream(b, js, "events.t.now", backlog)
		took := map[string]time.Duration{}
		for _, q := range turns {
			took[q.Name] = readBacklog(b, c, q, backlog)
		}
		slices.Reverse(turns)
		ratios = append(ratios, took[plain.Name].Seconds()/took[waiting.Name].Seconds())
		rates = append(rates, backlog/took[waiting.Name].Seconds())
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(rates[len(rates)/2], "msg/s")
}

// readBacklog takes n messages; those of later are put off for an hour.
func readBacklog(b *testing.B, c *msgq.Client, q msgq.Queue, n int64) time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(n)
	done := make(chan struct{})
	start := time.Now()
	sub, err := c.Subscribe(b.Context(), q, func(_ context.Context, d *msgq.Delivery) error {
		if left.Add(-1) == 0 {
			close(done)
		}
		if d.Topic == "later" {
			return msgq.RetryAfter(time.Hour, errors.New("not yet"))
		}
		return nil
	}, msgq.WithConcurrency(64))
	if err != nil {
		b.Fatal(err)
	}
	if n > 0 {
		<-done
	}
	took := time.Since(start)
	sub.Drain()
	return took
}
