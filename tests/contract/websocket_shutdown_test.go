package contract_test

import (
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestShutdownClosesEveryConnectionWith1001(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	var sockets []*harness.Socket
	for range 5 {
		ws := s.Dial(t, nil)
		subscribe(t, ws, "live", object{"topics": []string{">"}})
		subscribe(t, ws, "queue", object{"topics": []string{">"}, "queue": "q"})
		sockets = append(sockets, ws)
	}
	go s.StopSubscribe() // answers to the close come while it waits; the harness waits for its end
	for _, ws := range sockets {
		if code := ws.CloseCode(); code != 1001 {
			t.Errorf("close code %d, want 1001", code)
		}
	}
	s.StopSubscribe()
}

func TestShutdownIsSpreadSoThatNotAllComeBackAtOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const connections = 500 // a millisecond each
	var sockets []*harness.Socket
	for range connections {
		sockets = append(sockets, s.Dial(t, nil))
	}
	ends := make([]time.Time, connections)
	var reading sync.WaitGroup
	for i, ws := range sockets {
		reading.Go(func() {
			if code := ws.CloseCode(); code != 1001 {
				t.Errorf("close code %d, want 1001", code)
			}
			ends[i] = time.Now()
		})
	}
	s.StopSubscribe()
	reading.Wait()
	first, last := ends[0], ends[0]
	for _, end := range ends {
		if end.Before(first) {
			first = end
		}
		if end.After(last) {
			last = end
		}
	}
	if spread := last.Sub(first); spread < connections*time.Millisecond/2 {
		t.Errorf("all were closed within %s, want about %s", spread, connections*time.Millisecond)
	}
}
