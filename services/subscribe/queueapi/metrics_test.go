package queueapi

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

func TestMetricsHaveNoQueuesWhileTheBrokerIsAway(t *testing.T) {
	asked := 0
	registry := prometheus.NewPedanticRegistry()
	Watch(registry, func(context.Context) ([]msgq.QueueInfo, error) {
		asked++
		return []msgq.QueueInfo{{Queue: msgq.Queue{Name: "q"}}}, errors.New("away")
	})
	for range 2 {
		if families, err := registry.Gather(); err != nil || len(families) != 0 {
			t.Errorf("%d metrics, error %v", len(families), err)
		}
	}
	if asked != 1 {
		t.Errorf("the broker was asked %d times at once", asked)
	}
}
