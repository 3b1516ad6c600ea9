package msgq_test

import (
	"fmt"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// BenchmarkPublish compares Publish with a plain jetstream publish, on a broker
// that syncs every message. Run with -cpu 1: the parallelism is the callers'.
func BenchmarkPublish(b *testing.B) {
	s := msgqtest.NewServer(b)
	c := s.Connect(nil)
	js := msgqtest.JetStream(b, s.URL)
	data := make([]byte, 256)
	ways := map[string]func() error{
		"raw": func() error {
			_, err := js.Publish(b.Context(), "events.t.bench", data)
			return err
		},
		"msgq": func() error {
			_, err := c.Publish(b.Context(), msgq.Message{Topic: "bench", Data: data})
			return err
		},
	}
	for _, callers := range []int{1, 64, 256} {
		for _, way := range []string{"raw", "msgq"} {
			b.Run(fmt.Sprintf("%s-%d", way, callers), func(b *testing.B) {
				b.SetParallelism(callers)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := ways[way](); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}
