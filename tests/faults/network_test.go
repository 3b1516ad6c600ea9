package faults_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A client whose network is gone sends no FIN: only its silence tells, though the kernel takes every ping for it. And so it is
// with one whose process is frozen: its kernel takes them, too.
func TestClientBehindABrokenNetworkIsClosed(t *testing.T) {
	t.Parallel() // it waits most of the time
	if out, err := exec.CommandContext(t.Context(), "iptables", "-L", "INPUT", "-n").CombinedOutput(); err != nil {
		if os.Getenv("MSGQ_REQUIRE_DOCKER") == "1" { // which needs it too
			t.Fatalf("iptables: %v %s", err, out)
		}
		t.Skipf("SKIPPED: iptables cannot be used here: %v %s", err, out)
	}
	s := startStack(t)
	healthy, cut := s.Dial(t, nil), s.Dial(t, nil)
	s.Dial(t, nil) // never reads
	breakNetwork(t, cut.Conn.LocalAddr(), cut.Conn.RemoteAddr())

	start := time.Now()
	for look := time.NewTicker(time.Second); connections(t, s) > 1; <-look.C {
		if time.Since(start) > 2*time.Minute { // of a loaded machine
			t.Fatal("the silent clients are still connected")
		}
		healthy.Send(map[string]any{"type": "ping"}) // and reading answers pings
		healthy.WaitType("pong")
	}
	if took := time.Since(start); took < 30*time.Second {
		t.Errorf("closed after %s, want 35s", took)
	}
}

// breakNetwork drops what a client sends, acknowledgements included, until the test ends. The rule names both
// ends: beside it run tests whose thousands of connections to other servers sooner or later have the client's port.
func breakNetwork(t *testing.T, client, server net.Addr) {
	t.Helper()
	_, from, _ := net.SplitHostPort(client.String())
	_, to, _ := net.SplitHostPort(server.String())
	rule := []string{"INPUT", "-p", "tcp", "--sport", from, "--dport", to, "-j", "DROP"}
	if out, err := exec.CommandContext(t.Context(), "iptables", append([]string{"-I"}, rule...)...).CombinedOutput(); err != nil {
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
