package queueapi

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

const (
	countEvery = 5 * time.Second // at most, however many scrape: it takes some requests to the broker for each queue
	countWait  = 2 * time.Second // so long a scrape waits for the broker, and then tells of no queue
)

// Watch adds the counts of every queue to the metrics. While the broker is away there are none.
func Watch(registry prometheus.Registerer, queues func(context.Context) ([]msgq.QueueInfo, error)) {
	registry.MustRegister(&metrics{queues: queues})
}

type metrics struct {
	queues func(context.Context) ([]msgq.QueueInfo, error)

	mu      sync.Mutex
	counted time.Time
	infos   []msgq.QueueInfo
}

// metric is one of a queue's counts.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(msgq.QueueInfo) float64
}

func newMetric(name, help string, kind prometheus.ValueType, value func(msgq.QueueInfo) float64) metric {
	return metric{prometheus.NewDesc("msgq_queue_"+name, help, []string{"queue"}, nil), kind, value}
}

// ofQueue are a queue's metrics.
var ofQueue = []metric{
	newMetric("ready", "Messages that wait for a delivery.", prometheus.GaugeValue,
		func(q msgq.QueueInfo) float64 { return float64(q.Ready) }),
	newMetric("in_flight", "Messages that were delivered and are not settled.", prometheus.GaugeValue,
		func(q msgq.QueueInfo) float64 { return float64(q.InFlight) }),
	newMetric("waiting_retry", "Messages that wait long for a retry.", prometheus.GaugeValue,
		func(q msgq.QueueInfo) float64 { return float64(q.WaitingRetry) }),
	newMetric("dead", "Dead letters.", prometheus.GaugeValue,
		func(q msgq.QueueInfo) float64 { return float64(q.Dead) }),
	newMetric("members", "Members and waiting pulls at all instances.", prometheus.GaugeValue,
		func(q msgq.QueueInfo) float64 { return float64(q.Members) }),
	newMetric("delivered_total", "Deliveries, all attempts counted.", prometheus.CounterValue,
		func(q msgq.QueueInfo) float64 { return float64(q.Delivered) }),
	newMetric("acknowledged_total", "Messages acknowledged, or passed over by the queue's filter.", prometheus.CounterValue,
		func(q msgq.QueueInfo) float64 { return float64(q.Acknowledged) }),
	newMetric("expired_total", "Messages that retention took after a delivery, before they were settled.", prometheus.CounterValue,
		func(q msgq.QueueInfo) float64 { return float64(q.Expired) }),
}

// Describe is prometheus.Collector's.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, metric := range ofQueue {
		out <- metric.desc
	}
}

// Collect is prometheus.Collector's.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, q := range m.count() {
		for _, metric := range ofQueue {
			out <- prometheus.MustNewConstMetric(metric.desc, metric.kind, metric.value(q), q.Name)
		}
	}
}

func (m *metrics) count() []msgq.QueueInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.counted) < countEvery {
		return m.infos
	}
	ctx, cancel := context.WithTimeout(context.Background(), countWait)
	defer cancel()
	infos, err := m.queues(ctx)
	if err != nil {
		infos = nil
	}
	m.infos, m.counted = infos, time.Now()
	return infos
}
