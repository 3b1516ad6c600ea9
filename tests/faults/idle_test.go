package faults_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// The publish service is a process of its own: it and the test have as many files each.
func TestPublishingGoesOnBeside10000IdleConnections(t *testing.T) {
	const idle, dialers = 10_000, 50
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if files.Cur < idle+1000 { // Go has raised it to what is allowed
		t.Skipf("needs %d open files a process, %d are allowed (ulimit -Hn)", idle+1000, files.Cur)
	}
	s := startStack(t)
	addr := strings.TrimPrefix(s.PublishURL, "http://")
	conns := make([]net.Conn, idle)
	errs := make([]error, dialers)
	var wg sync.WaitGroup
	for d := range dialers {
		wg.Go(func() {
			for i := d; i < idle && errs[d] == nil; i += dialers {
				conns[i], errs[d] = openIdle(addr)
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if open := metric(t, s, "process_open_fds"); open < idle {
		t.Fatalf("the service holds %.0f files: the connections are not there", open)
	}
	t.Logf("memory with %d idle connections: %.0f MiB", idle, metric(t, s, "process_resident_memory_bytes")/(1<<20))

	slowest := time.Duration(0)
	for i := range 100 {
		start := time.Now()
		s.Publish(t, "a", strconv.Itoa(i))
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("100 publishes, the slowest %s", slowest)
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := s.Do(t, http.MethodGet, s.PublishURL+path, ""); r.Status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
}

// openIdle opens a connection that is kept after one request.
func openIdle(addr string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, msgqtest.Timeout)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(msgqtest.Timeout))
	if _, err := fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", addr); err != nil {
		return c, err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil)
	if err != nil {
		return c, err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Close {
		return c, fmt.Errorf("healthz: %s, close %t", res.Status, res.Close)
	}
	return c, nil
}

// metric reads one of the publish service's metrics.
func metric(t *testing.T, s *stack, name string) float64 {
	t.Helper()
	r := s.Do(t, http.MethodGet, s.PublishURL+"/metrics", "")
	for line := range strings.Lines(string(r.Body)) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
