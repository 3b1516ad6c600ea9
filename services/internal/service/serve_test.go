package service

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are net.Pipes: their deadlines keep virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

const readTimeout = 15 * time.Second

// serve runs a server in virtual time that reads each body to its end.
func serve(t *testing.T, test func(t *testing.T, p *pipes, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
		ended := make(chan error, 1)
		go func() { ended <- Serve(ctx, p, handler, slog.New(slog.DiscardHandler), readTimeout, nil) }()
		test(t, p, cancel)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("served: %v", err)
		}
	})
}

// drip writes a byte a second until the other side has gone.
func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
	}
}

// untilClosed is how long it takes until the server closes the connection.
func untilClosed(c net.Conn) time.Duration {
	start := time.Now()
	_, _ = io.Copy(io.Discard, c)
	return time.Since(start)
}

const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

func TestConnectionsThatSendNothingAreClosed(t *testing.T) {
	serve(t, func(t *testing.T, p *pipes, _ func()) {
		fresh := p.dial()
		if after := untilClosed(fresh); after != readHeaderTimeout {
			t.Errorf("one that never sent anything: after %s, want %s", after, readHeaderTimeout)
		}
		used := p.dial()
		exchange(t, used)
		if after := untilClosed(used); after != idleTimeout {
			t.Errorf("one that is idle after a request: after %s, want %s", after, idleTimeout)
		}
	})
}

func TestHeadersMustComeWithin5sAndBodiesWithin15s(t *testing.T) {
	serve(t, func(t *testing.T, p *pipes, _ func()) {
		var drips sync.WaitGroup
		defer drips.Wait()
		slow := p.dial()
		drips.Go(func() { drip(slow, request) })
		if after := untilClosed(slow); after != readHeaderTimeout {
			t.Errorf("a header byte a second: closed after %s, want %s", after, readHeaderTimeout)
		}
		body := p.dial()
		start := time.Now()
		drips.Go(func() {
			_, _ = io.WriteString(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			drip(body, strings.Repeat("x", 1000))
		})
		res, err := http.ReadResponse(bufio.NewReader(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if after := time.Since(start); res.StatusCode != http.StatusBadRequest || after != readTimeout {
			t.Errorf("a body byte a second: %s after %s, want 400 after %s", res.Status, after, readTimeout)
		}
		_ = body.Close()
	})
}

func TestClientsAreToldToCloseBeforeIdleConnectionsAreClosed(t *testing.T) {
	serve(t, func(t *testing.T, p *pipes, stop func()) {
		busy, idle := p.dial(), p.dial()
		exchange(t, busy)
		exchange(t, idle)
		stop()
		synctest.Wait()
		if res := exchange(t, busy); !res.Close {
			t.Error("a request that comes while the server stops is answered, without Connection: close")
		}
		if after := untilClosed(idle); after != farewell {
			t.Errorf("an idle connection is closed after %s, want %s", after, farewell)
		}
	})
}

func exchange(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}
