package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// lockedLog is a log that a test reads while a client writes.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// blackHole is an address whose connections never come about, as those to a machine that is gone: nobody takes the
// ones that wait, and there is no room for more.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 100 {
		c, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the address goes on taking connections")
	return ""
}

// Each of the addresses costs 2 s where its dial is waited for, and the client's end once more.
func TestConnectEndsWithItsContext(t *testing.T) {
	hole := "nats://" + blackHole(t)
	for name, url := range map[string]string{"nobody answers": strings.Repeat(hole+",", 4) + hole, "nobody is there": "nats://127.0.0.1:1"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		c, err := msgq.Connect(ctx, msgq.Config{URL: url})
		took := time.Since(start)
		cancel()
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, msgq.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want one line that says unavailable", name, err)
		}
		if took > 5*time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
	}
}

// writerFunc is a log that acts on what is written.
type writerFunc func(line string)

func (w writerFunc) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

func TestConnectSaysWhyThereIsNoConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := slog.New(slog.NewTextHandler(writerFunc(func(line string) {
		if strings.Contains(line, "refused") {
			cancel()
		}
	}), nil))
	_, err := msgq.Connect(ctx, msgq.Config{URL: "nats://127.0.0.1:1", Logger: log})
	if !errors.Is(err, msgq.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v, want one that says unavailable and refused", err)
	}
	_, err = msgq.Connect(t.Context(), msgq.Config{URL: "nats://127.0.0.1:port"})
	if err == nil || errors.Is(err, msgq.ErrUnavailable) {
		t.Errorf("a URL that is none: error %v, want one that no other try mends", err)
	}
}

func TestOpenWaitsForNoBrokerThatDoesNotAnswer(t *testing.T) {
	hole := "nats://" + blackHole(t)
	start := time.Now()
	c, err := msgq.Open(msgq.Config{URL: strings.Repeat(hole+",", 4) + hole})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestStreamIsToldOfOnceWhenAnotherDoesNotFit(t *testing.T) {
	url := msgqtest.NewServer(t).URL
	for client, want := range []int{1, 0} { // EVENTS_LATER, which the second client finds
		var log lockedLog
		c, err := msgq.Open(msgq.Config{URL: url, MaxBytes: 1 << 60, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		msgqtest.Eventually(t, "the look at the streams", func() bool { return strings.Contains(log.String(), "does not fit") })
		c.Close()
		if got := strings.Count(log.String(), "stream created"); got != want {
			t.Errorf("client %d: %d streams created, want %d:\n%s", client, got, want, log.String())
		}
	}
}

func TestCloseBesideAnotherAndMembersThatJoin(t *testing.T) {
	s := msgqtest.NewServer(t)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}}
	for range 10 {
		c := s.Connect(nil)
		joined := make(chan struct{})
		tell := sync.OnceFunc(func() { close(joined) })
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					_, err := c.Join(t.Context(), q, 1)
					if errors.Is(err, msgq.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("join: %v", err)
						return
					}
					tell()
				}
			})
		}
		msgqtest.Receive(t, joined, "member")
		wg.Go(c.Close)
		wg.Go(c.Close)
		wg.Wait()
	}
}

func TestOptionsOfTheCallerLeaveTheClientItsConnection(t *testing.T) {
	s := msgqtest.NewServer(t)
	lost, back := make(chan error, 10), make(chan string, 10)
	c := s.Connect(func(cfg *msgq.Config) {
		cfg.NATSOptions = []nats.Option{
			nats.NoReconnect(), nats.ReconnectBufSize(1 << 20),
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { lost <- err }),
			nats.ReconnectHandler(func(nc *nats.Conn) { back <- nc.ConnectedUrl() }),
		}
	})
	s.Stop()
	msgqtest.Receive(t, lost, "word of the lost connection")
	if c.Outage() == 0 {
		t.Error("no outage")
	}
	s.Start()
	if url := msgqtest.Receive(t, back, "word of the new connection"); url != s.URL {
		t.Errorf("connected to %s", url)
	}
	if c.Outage() != 0 {
		t.Error("the outage goes on")
	}
	publish(t, c, msgq.Message{Topic: "a"})
	c.Close()
	if err := c.Check(t.Context()); !errors.Is(err, msgq.ErrClosed) {
		t.Errorf("closed: error %v, want %v", err, msgq.ErrClosed)
	}
}

func TestReadyWaitsForTheBrokerToComeBack(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	s.Stop()
	msgqtest.Eventually(t, "the outage is noticed", func() bool { return c.Outage() > 0 })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ready(ended); !errors.Is(err, msgq.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, msgq.ErrUnavailable)
	}
	s.Start()
	if err := c.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	publish(t, c, msgq.Message{Topic: "a"})
}
