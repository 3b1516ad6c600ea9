package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// floodOf is more than the sockets' buffers take, and no more than is sent in half of the 35 s that a client may
// read nothing, on a busy machine.
const floodOf = 12

// flood publishes floodOf messages of almost 1 MiB, with a client beside that
// reads them at once: a stalled one must not keep them from it.
func flood(t *testing.T, s *harness.Stack) []harness.Receipt {
	t.Helper()
	quick := s.Dial(t, nil)
	subscribe(t, quick, "quick", object{"topics": []string{"flood"}})
	var sent []harness.Receipt
	for i := range floodOf {
		data := fmt.Sprintf(`{"n":%d,"fill":%q}`, i, strings.Repeat("x", 1000<<10))
		sent = append(sent, s.Publish(t, "flood", data))
		message(t, quick, "quick", sent[i])
	}
	return sent
}

func stalled(t *testing.T, overflow string) (*harness.Stack, *harness.Socket) {
	t.Helper()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--client-buffer=4KiB"}})
	ws := s.DialNarrow(t)
	subscribe(t, ws, "slow", object{"topics": []string{"flood", "end"}, "overflow": overflow})
	return s, ws
}

func TestClientThatCatchesUpLosesNothing(t *testing.T) {
	t.Parallel()
	s, ws := stalled(t, "catchup")
	for _, sent := range flood(t, s) {
		message(t, ws, "slow", sent)
	}
	message(t, ws, "slow", s.Publish(t, "end", `1`))
}

func TestClientThatSkipsIsToldAndGoesOnWithTheNewest(t *testing.T) {
	t.Parallel()
	s, ws := stalled(t, "skip")
	sent := flood(t, s)
	var last uint64
	f := ws.Next()
	for ; f.Type == "message"; f = ws.Next() {
		if f.Seq != last+1 {
			t.Fatalf("message %d after %d, and nothing said of a skip", f.Seq, last)
		}
		last = f.Seq
	}
	if f.Type != "skipped" || f.ID != "slow" || f.From != last+1 || f.To != sent[floodOf-1].Seq {
		t.Fatalf("got %s, want skipped from %d to %d", f.Raw, last+1, sent[floodOf-1].Seq)
	}
	message(t, ws, "slow", s.Publish(t, "end", `1`))
}

func TestClientThatWantsACloseIsClosedWith4508(t *testing.T) {
	t.Parallel()
	s, ws := stalled(t, "close")
	quick := s.Dial(t, nil)
	subscribe(t, quick, "quick", object{"topics": []string{"flood"}})
	publish := func() {
		message(t, quick, "quick", s.Publish(t, "flood", `"`+strings.Repeat("x", 1000<<10)+`"`))
	}
	for !hasStopped(t, s, ws) {
		publish()
	}
	publish() // the socket's buffers are full: the first is kept
	publish() // and the second is more than may be
	if err := drainSocket(ws.Conn); !websocket.IsCloseError(err, 4508) {
		t.Fatalf("the connection ended with %v, want close code 4508", err)
	}
	if err := seen.close(4508); err != nil {
		t.Error(err)
	}
	message(t, quick, "quick", s.Publish(t, "flood", `1`)) // nobody else is closed
}

// drainSocket reads messages until the connection ends.
func drainSocket(conn *websocket.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(msgqtest.Timeout))
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			return err
		}
	}
}

// hasStopped reports whether something waits for the client, or the server has given it up.
func hasStopped(t *testing.T, s *harness.Stack, ws *harness.Socket) bool {
	t.Helper()
	for _, c := range listConnections(t, s, "").Connections {
		if c.ID == ws.Welcome.Connection {
			return c.Buffered > 0
		}
	}
	return true
}

func TestStopDoesNotWaitForAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.DialNarrow(t)
	subscribe(t, ws, "s", object{"topics": []string{"flood"}})
	data := `"` + strings.Repeat("x", 512<<10) + `"`
	for range 32 { // more than the sockets' buffers hold
		s.Publish(t, "flood", data)
	}
	start := time.Now()
	s.StopSubscribe()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the stop took %s", took)
	}
}
