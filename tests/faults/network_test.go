package faults_test

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// A client whose network is gone sends no FIN: only its silence tells, though the kernel takes every ping for it.
func TestClientBehindABrokenNetworkIsClosed(t *testing.T) {
	t.Parallel() // it waits most of the time
	if out, err := exec.CommandContext(context.Background(), "iptables", "-L", "INPUT", "-n").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: iptables cannot be used here: %v %s", err, out)
	}
	s := startStack(t)
	healthy, cut := s.Dial(t, nil), s.Dial(t, nil)
	_, port, _ := net.SplitHostPort(cut.Conn.LocalAddr().String())
	breakNetwork(t, port)

	start := time.Now()
	for look := time.NewTicker(time.Second); connections(t, s) > 1; <-look.C {
		if time.Since(start) > 2*time.Minute { // of a loaded machine
			t.Fatal("the silent client is still connected")
		}
	}
	if took := time.Since(start); took < 30*time.Second {
		t.Errorf("closed after %s, want 35s", took)
	}
	healthy.Send(map[string]any{"type": "ping"})
	healthy.WaitType("pong")
}

// breakNetwork drops what a client on this port sends, acknowledgements included, until the test ends.
func breakNetwork(t *testing.T, port string) {
	t.Helper()
	rule := []string{"INPUT", "-p", "tcp", "--sport", port, "-j", "DROP"}
	if out, err := exec.CommandContext(context.Background(), "iptables", append([]string{"-I"}, rule...)...).CombinedOutput(); err != nil {
		t.Fatalf("iptables: %v %s", err, out)
	}
	t.Cleanup(func() {
		_ = exec.CommandContext(context.Background(), "iptables", append([]string{"-D"}, rule...)...).Run()
	})
}

func connections(t *testing.T, s *stack) int {
	t.Helper()
	var list struct{ Connections []any }
	s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/connections", "").JSON(t, &list)
	return len(list.Connections)
}
