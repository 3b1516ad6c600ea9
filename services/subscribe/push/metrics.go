package push

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests *prometheus.CounterVec
	open     *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "msgq_push_requests_total", Help: "Messages POSTed to webhooks, by result.",
		}, []string{"queue", "result"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "msgq_push_circuit_open", Help: "1 while a webhook that fails again and again is only tried now and then.",
		}, []string{"queue"}),
	}
	r.MustRegister(m.requests, m.open)
	return m
}

func (m *metrics) count(queue, result string) { m.requests.WithLabelValues(queue, result).Inc() }
