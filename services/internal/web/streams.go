package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// streamMetrics shows how full the streams are.
type streamMetrics struct {
	usage                             func() []msgq.Usage
	messages, bytes, maxBytes, nearly *prometheus.Desc
}

// WatchStreams adds the metrics of the streams.
func WatchStreams(registry prometheus.Registerer, usage func() []msgq.Usage) {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("msgq_stream_"+name, help, []string{"stream"}, nil)
	}
	registry.MustRegister(&streamMetrics{
		usage:    usage,
		messages: desc("messages", "Messages that the stream holds."),
		bytes:    desc("bytes", "Bytes that the stream takes on disk."),
		maxBytes: desc("max_bytes", "Bytes at which the stream is full; 0: only the disk is its limit."),
		nearly:   desc("nearly_full", "1 from 80 % of its bytes on: soon old messages go, or new ones are refused."),
	})
}

// Describe is prometheus.Collector's.
func (m *streamMetrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect is prometheus.Collector's.
func (m *streamMetrics) Collect(out chan<- prometheus.Metric) {
	for _, u := range m.usage() {
		nearly := 0.0
		if u.NearlyFull() {
			nearly = 1
		}
		for desc, value := range map[*prometheus.Desc]float64{
			m.messages: float64(u.Messages), m.bytes: float64(u.Bytes), m.maxBytes: float64(u.MaxBytes), m.nearly: nearly,
		} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, u.Stream)
		}
	}
}
