package contract_test

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestConnectionsAreClosedWith4503WhenTheBrokerIsGoneTooLong(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--broker-grace=2s"}})
	idle, live := s.Dial(t, nil), s.Dial(t, nil)
	subscribe(t, live, "s", object{"topics": []string{">"}})
	events := s.Events(t, "topics=>")
	s.Broker.Restart() // within the grace
	s.WaitReady(t)
	message(t, live, "s", s.Publish(t, "a", `1`))

	s.Broker.Stop()
	stopped := time.Now()
	during := s.Dial(t, nil) // is not closed at once either
	for name, ws := range map[string]*harness.Socket{"idle": idle, "live": live, "made in the outage": during} {
		if code := ws.CloseCode(); code != 4503 {
			t.Errorf("%s: close code %d, want 4503", name, code)
		}
	}
	if took := time.Since(stopped); took < 2*time.Second {
		t.Errorf("closed after %s, want the grace of 2s", took)
	}
	readsBye(t, events)
	s.Broker.Start()
	s.WaitReady(t)
	again := s.Dial(t, nil)
	subscribe(t, again, "s", object{"topics": []string{">"}})
	message(t, again, "s", s.Publish(t, "a", `2`))
}

// readsBye reads to the end of the stream, which has to tell when to come back.
func readsBye(t *testing.T, events *harness.Events) {
	t.Helper()
	var last harness.Event
	for range 5 { // positions and comments come every 10 s and 15 s
		e, err := events.Read()
		if err != nil {
			break
		}
		last = e
	}
	if last.Retry == "" || last.Comment != "the broker cannot be reached" {
		t.Errorf("the stream ended with %+v, want a retry", last)
	}
}

func TestClientIsPingedAndThePingIsEmpty(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	pings := make(chan string, 1)
	ws.Conn.SetPingHandler(func(payload string) error { pings <- payload; return nil })
	_ = ws.Conn.SetReadDeadline(time.Now().Add(2 * msgqtest.Timeout))
	read := make(chan error, 1)
	go func() {
		_, _, err := ws.Conn.ReadMessage()
		read <- err
	}()
	select {
	case payload := <-pings: // within 25 s
		if payload != "" {
			t.Errorf("pinged with %q", payload)
		}
	case err := <-read:
		t.Fatalf("no ping came, but %v", err)
	}
	_ = ws.Conn.Close()
	if err := <-read; websocket.IsUnexpectedCloseError(err) {
		t.Errorf("the server closed: %v", err)
	}
}
