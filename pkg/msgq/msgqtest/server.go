package msgqtest

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

// Server is a broker that can be stopped and started again on the same port and data.
type Server struct {
	// URL stays the same over restarts.
	URL string

	t      testing.TB
	cfg    broker.Config
	broker *broker.Broker
}

// NewServer starts a broker that ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, cfg: broker.Config{Dir: t.TempDir(), Port: -1}}
	s.Start()
	s.URL = s.broker.URL()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatalf("broker URL: %v", err)
	}
	if s.cfg.Port, err = strconv.Atoi(u.Port()); err != nil {
		t.Fatalf("broker port: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Start starts a stopped broker on its old port with its old data.
func (s *Server) Start() {
	s.t.Helper()
	b, err := broker.Start(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.broker = b
}

// Stop ends the broker and leaves its data. Stopping twice is harmless.
func (s *Server) Stop() { s.broker.Shutdown() }

// Restart is Stop and Start.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.Start()
}

// Connect opens a client that ends with the test. cfg.URL is set; change may be nil.
func (s *Server) Connect(change func(*msgq.Config)) *msgq.Client {
	s.t.Helper()
	return Connect(s.t, s.URL, change)
}
