package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on connections; a service sets others where it needs them.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 64 << 10
	// farewell is how long clients are told, with their answers, to close their
	// connections before idle ones are closed: a request that has just been sent
	// on one of these would be lost without an answer.
	farewell = 200 * time.Millisecond
	// shutdownTimeout leaves room for the rest within the 25 s that a stop may take.
	shutdownTimeout = 20 * time.Second
)

// Listen takes the address and says what to do where it is taken.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w (is another program there? set another address)", addr, err)
	}
	return l, nil
}

// Serve serves until ctx ends. Then it takes no more connections, and waits for
// the requests that run and for onStop, which ends connections taken over from HTTP.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, log *slog.Logger, readTimeout time.Duration, onStop func()) error {
	var stopping atomic.Bool
	srv := &http.Server{
		Handler:           closing(handler, &stopping),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout(readTimeout),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(refusing{l}) }()
	log.Info("listening", "address", l.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	var stopped sync.WaitGroup
	defer stopped.Wait()
	if onStop != nil {
		stopped.Go(onStop)
	}
	stopping.Store(true)
	_ = l.Close()
	served := <-failed // it takes no more connections
	<-time.After(farewell)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests cut off after the time for a stop", "timeout", shutdownTimeout)
		err = srv.Close()
	}
	if !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// writeTimeout is for a client that does not take its answer, where requests and answers are short.
func writeTimeout(readTimeout time.Duration) time.Duration {
	if readTimeout == 0 {
		return 0
	}
	return max(time.Minute, 2*readTimeout)
}

// closing tells clients to close their connections while the server stops.
func closing(next http.Handler, stopping *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// CheckReady asks the service that listens on addr whether it is ready.
func CheckReady(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, readHeaderTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
		return fmt.Errorf("not ready: %s: %s", res.Status, reason)
	}
	return nil
}
