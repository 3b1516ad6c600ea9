// Package msgqtest helps to test code that uses msgq: a broker in the test's
// own process with its data in a temporary folder, and waiting without sleeping.
package msgqtest

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

// Timeout bounds every wait of this package.
const Timeout = 20 * time.Second

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

// Connect opens a client that ends with the test. cfg.URL is set; change may be nil.
func (s *Server) Connect(change func(*msgq.Config)) *msgq.Client {
	s.t.Helper()
	cfg := msgq.Config{URL: s.URL, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	c, err := msgq.Connect(Context(s.t), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// Context ends after Timeout and with the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	t.Cleanup(cancel)
	return ctx
}

// Receive takes a value from ch or fails the test after Timeout.
func Receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(Timeout):
		t.Fatalf("no %s within %s", what, Timeout)
		panic("unreachable")
	}
}

// Eventually calls ok until it is true, or fails the test after Timeout.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(Timeout)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", Timeout, what)
		}
	}
}
