//go:build unix

package msgq_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// BenchmarkRedrive100000 redrives 100,000 dead letters of 256 bytes in one call, and reports the
// most heap that this process, without the broker, had in use meanwhile.
func BenchmarkRedrive100000(b *testing.B) {
	const letters = 100_000
	s := msgqtest.NewProcess(b, msgqtest.MsgqBroker(b))
	c := s.Connect(nil)
	if _, err := c.PutQueue(b.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}}); err != nil {
		b.Fatal(err)
	}
	var most uint64
	for b.Loop() {
		b.StopTimer()
		fillDead(b, s.URL, letters)
		runtime.GC()
		before := heapInUse()
		b.StartTimer()
		n, err := c.Redrive(b.Context(), "q", msgq.SelectAll().OnProgress(func(int) {
			if now := heapInUse(); now > before {
				most = max(most, now-before)
			}
		}))
		if err != nil || n != letters {
			b.Fatalf("redriven %d, error %v", n, err)
		}
	}
	b.ReportMetric(float64(most)/(1<<20), "MiB-more")
	b.ReportMetric(letters*float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// fillDead writes dead letters of queue q by hand.
func fillDead(b *testing.B, url string, n int) {
	b.Helper()
	js := msgqtest.JetStream(b, url)
	now := time.Now().UTC()
	for i := range n {
		msg := nats.NewMsg(fmt.Sprintf("events.d.q.%d.0", now.UnixNano()+int64(i)))
		for name, value := range map[string]string{
			"Topic": "a", "Seq": fmt.Sprint(i + 1), "Time": now.Format(time.RFC3339Nano), "Queue": "q", "Attempts": "5", "Round": "0", "Reason": "no",
		} {
			msg.Header["Msgq-Dead-"+name] = []string{value}
		}
		msg.Data = make([]byte, 256)
		if _, err := js.PublishMsgAsync(msg); err != nil {
			b.Fatal(err)
		}
		if i%500 == 499 || i == n-1 {
			<-js.PublishAsyncComplete()
		}
	}
}
