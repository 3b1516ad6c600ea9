package sse

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	connections prometheus.Gauge
	deliveries  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "msgq_sse_connections", Help: "Open streams of server-sent events.",
		}),
		deliveries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "msgq_sse_deliveries_total", Help: "Messages handed to clients of server-sent events.",
		}),
	}
	r.MustRegister(m.connections, m.deliveries)
	return m
}
