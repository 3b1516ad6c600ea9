package push

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStoppedEndpointShowsNoCircuit(t *testing.T) {
	registry := prometheus.NewRegistry()
	p := New(Options{Log: slog.New(slog.DiscardHandler), Registry: registry})
	target := new(target)
	e := newEndpoint(p, "q", target)
	fail := func() {
		for range tripAfter {
			e.left(target, false, false)
		}
	}
	circuits := func() int {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return len(families)
	}
	fail()
	if circuits() != 1 {
		t.Error("an open circuit is not shown")
	}
	e.circuit.reset()
	e.stop()
	fail() // requests that were under way
	if circuits() != 0 {
		t.Error("the circuit of an endpoint that is used no more is shown")
	}
}
