package msgqtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Timeout bounds every wait of this package.
const Timeout = 20 * time.Second

// Connect opens a client of the broker that ends with the test. cfg.URL is set; change may be nil.
func Connect(t testing.TB, url string, change func(cfg *msgq.Config)) *msgq.Client {
	t.Helper()
	cfg := msgq.Config{URL: url, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	c, err := msgq.Connect(Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
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
