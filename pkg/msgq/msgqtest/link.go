package msgqtest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// link passes connections on to target, everything so much later, both ways, until it is cut.
type link struct {
	addr, target string
	lag          time.Duration
	wg           sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	down  bool
}

// newLink is a link that ends with the test.
func newLink(t testing.TB, target string, lag time.Duration) *link {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &link{addr: l.Addr().String(), target: target, lag: lag, conns: make(map[net.Conn]struct{})}
	d.wg.Go(func() { d.accept(l) })
	t.Cleanup(func() {
		_ = l.Close()
		d.cut()
		d.wg.Wait()
	})
	return d
}

func (d *link) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", d.target)
		if err != nil || !d.keep(in, out) {
			_ = in.Close()
			continue
		}
		d.wg.Go(func() { d.pass(in, out) })
		d.wg.Go(func() { d.pass(out, in) })
	}
}

// keep is false while the link is cut.
func (d *link) keep(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range conns {
		if d.down {
			_ = c.Close()
			continue
		}
		d.conns[c] = struct{}{}
	}
	return !d.down
}

// cut ends all connections, and those to come.
func (d *link) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = true
	for c := range d.conns {
		_ = c.Close()
	}
	clear(d.conns)
}

func (d *link) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = false
}

// piece is what was read at once.
type piece struct {
	at   time.Time
	data []byte
}

// pass copies until one side ends, and then ends the other.
func (d *link) pass(from, to net.Conn) {
	pieces := make(chan piece, 10_000)
	d.wg.Go(func() {
		defer func() { _ = to.Close() }()
		for p := range pieces {
			<-time.After(d.lag - time.Since(p.at))
			_, _ = to.Write(p.data) // an error ends from, too
		}
	})
	defer close(pieces)
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if n > 0 {
			pieces <- piece{time.Now(), buf[:n]}
		}
		if err != nil {
			return
		}
	}
}
