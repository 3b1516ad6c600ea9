package broker_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBrokerTakesConnectionsUntilShutdown(t *testing.T) {
	dir := t.TempDir()
	b, err := broker.Start(broker.Config{Dir: dir, Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Shutdown()
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if nc.MaxPayload() != broker.MaxPayload || b.Dir() != dir {
		t.Errorf("max payload %d, dir %s", nc.MaxPayload(), b.Dir())
	}
	b.Shutdown()
	b.Shutdown() // harmless
	if nc, err := nats.Connect(b.URL()); err == nil {
		nc.Close()
		t.Error("it takes connections after its shutdown")
	}
}

func TestBrokerSaysQuicklyWhyItDoesNotStart(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	taken := listener.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cfg  broker.Config
		want []string
	}{
		"no folder":               {broker.Config{Port: -1}, []string{"Dir"}},
		"port taken":              {broker.Config{Dir: t.TempDir(), Port: taken}, []string{listener.Addr().String(), "address already in use"}},
		"a file for a folder":     {broker.Config{Dir: file, Port: -1}, []string{file}},
		"a host of another place": {broker.Config{Dir: t.TempDir(), Host: "192.0.2.1", Port: -1}, []string{"192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			b, err := broker.Start(test.cfg)
			if err == nil {
				b.Shutdown()
				t.Fatal("it started")
			}
			for _, text := range test.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %s to say so", took)
			}
		})
	}
}

func TestSecondBrokerOnTheSameDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := broker.Start(broker.Config{Dir: dir, Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Start(broker.Config{Dir: dir, Port: -1}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names %s", err, dir)
	}
	first.Shutdown()
	again, err := broker.Start(broker.Config{Dir: dir, Port: -1})
	if err != nil {
		t.Fatalf("after the first one's end: %v", err)
	}
	again.Shutdown()
}
