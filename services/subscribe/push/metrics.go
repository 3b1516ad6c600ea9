package push

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	open     *prometheus.GaugeVec
	failing  sync.Map // queues of which open is 1
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

// tell whether the queue's circuit is open.
func (m *metrics) tell(queue string, open bool) {
	if !open {
		m.failing.Delete(queue)
		m.open.WithLabelValues(queue).Set(0)
		return
	}
	m.failing.Store(queue, struct{}{})
	m.open.WithLabelValues(queue).Set(1)
}

func (m *metrics) forget(queue string) {
	m.failing.Delete(queue)
	m.open.DeleteLabelValues(queue)
}

func (m *metrics) count(queue, result string) { m.requests.WithLabelValues(queue, result).Inc() }
