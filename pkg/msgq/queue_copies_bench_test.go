//go:build unix

package msgq_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// BenchmarkCopies handles what was redriven into a queue that has nothing else.
func BenchmarkCopies(b *testing.B) {
	const n = 20_000
	q := msgq.Queue{Name: "q", Topics: []string{"a"}}
	fill := func(b *testing.B) *msgq.Client {
		s := msgqtest.NewProcess(b, msgqtest.MsgqBroker(b))
		c := s.Connect(nil)
		if _, err := c.PutQueue(b.Context(), q); err != nil {
			b.Fatal(err)
		}
		fillDead(b, s.URL, n)
		if _, err := c.Redrive(b.Context(), "q", msgq.SelectAll()); err != nil {
			b.Fatal(err)
		}
		return c
	}
	b.Run("handler", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c := fill(b)
			b.StartTimer()
			var handled atomic.Int64
			done := make(chan struct{})
			sub, err := c.Subscribe(b.Context(), q, func(context.Context, *msgq.Delivery) error {
				if handled.Add(1) == n {
					close(done)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			<-done
			sub.Stop()
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	})
	for _, credit := range []int{1, 16} {
		b.Run(fmt.Sprintf("credit=%d", credit), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c := fill(b)
				b.StartTimer()
				m, err := c.Join(b.Context(), q, credit)
				if err != nil {
					b.Fatal(err)
				}
				for range n {
					if err := (<-m.Deliveries()).Ack(); err != nil {
						b.Fatal(err)
					}
				}
				m.Leave()
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
	b.Run("pull=100", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c := fill(b)
			b.StartTimer()
			for left := n; left > 0; {
				pulled, err := c.Pull(b.Context(), "q", 100, 0)
				if err != nil {
					b.Fatal(err)
				}
				left -= len(pulled)
				tags := make([]string, len(pulled))
				for i, p := range pulled {
					tags[i] = p.Tag
				}
				if _, err := c.Settle(b.Context(), "q", tags, msgq.Acked()); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	})
}
