package wsconn

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	connections prometheus.Gauge
	deliveries  *prometheus.CounterVec
	errors      *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "msgq_ws_connections", Help: "Open WebSocket connections.",
		}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "msgq_ws_deliveries_total", Help: "Messages handed to WebSocket clients, by kind of subscription.",
		}, []string{"kind"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "msgq_ws_errors_total", Help: "Error frames sent to WebSocket clients.",
		}, []string{"code"}),
	}
	r.MustRegister(m.connections, m.deliveries, m.errors)
	return m
}
