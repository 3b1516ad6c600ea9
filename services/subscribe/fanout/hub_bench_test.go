package fanout

import (
	"fmt"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// nowhere takes everything.
type nowhere struct{ sink }

func (*nowhere) Offer(*Frame) bool { return true }

// BenchmarkDelivery is the way of one message to one client without the socket.
func BenchmarkDelivery(b *testing.B) {
	for _, bench := range []struct {
		name            string
		clients, filter int
	}{{"1000 clients of one group", 1000, 0}, {"5000 clients with filters of their own, 1 in 100 matching", 5000, 100}} {
		b.Run(bench.name, func(b *testing.B) {
			s := newStream()
			s.filters = filter.NewIndex(bench.clients)
			h := New(Options{Source: s, Buffer: 1 << 20, Lanes: 1})
			var entries [][]*filter.Entry
			for i := range bench.clients {
				r := Request{Live: msgq.Live{Topics: []string{"a"}}, Encoding: plain{"p"}}
				if bench.filter > 0 {
					r.Filter = fmt.Sprintf("data.n == %d && data.n < %d", i%bench.filter, i+1000)
				}
				reader, _ := s.Live(b.Context(), r.Live)
				sub := &Subscription{hub: h, reader: reader, sink: new(nowhere), enc: r.Encoding, key: groupKey{"p", "a", reader.Filter()}, patterns: r.Topics}
				sub.lane.Store(h.lanes[0])
				h.lanes[0].joining = append(h.lanes[0].joining, sub)
				if bench.filter > 0 {
					for len(entries) < bench.filter {
						entries = append(entries, nil)
					}
					entries[i%bench.filter] = append(entries[i%bench.filter], reader.Filter())
				}
			}
			s.publish(make([]string, 100)...)
			batch := Batch{Messages: s.log, Filters: func(i int) []*filter.Entry { return entries[i%bench.filter] }}
			for _, m := range batch.Messages {
				m.Topic = "a"
			}
			deliveries := len(batch.Messages) * bench.clients / max(1, bench.filter)
			seq := uint64(0)
			cut := func() {
				seq += uint64(len(batch.Messages))
				batch.Position.Seq = seq
				h.lanes[0].cut(batch)
			}
			cut()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				cut()
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*deliveries), "ns/delivery")
			b.ReportMetric(testing.AllocsPerRun(10, cut)/float64(deliveries), "allocs/delivery")
		})
	}
}
