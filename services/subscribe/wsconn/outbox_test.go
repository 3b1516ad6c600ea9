package wsconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newOutbox writes to one end of a pipe, which takes nothing before the other is read.
func newOutbox(t *testing.T, maxBytes int) (*outbox, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	o := &outbox{sock: newSocket(ours), max: maxBytes, fail: func() {}}
	t.Cleanup(func() {
		_ = theirs.Close()
		o.end()
		_ = ours.Close()
	})
	return o, theirs
}

// nextFrame reads one frame.
func nextFrame(t *testing.T, r io.Reader) (opcode byte, payload string) {
	t.Helper()
	header := make([]byte, 2, 10)
	if _, err := io.ReadFull(r, header); err != nil {
		t.Fatal(err)
	}
	length := int(header[1])
	if more := map[int]int{126: 2, 127: 8}[length]; more > 0 {
		header = header[:2+more]
		if _, err := io.ReadFull(r, header[2:]); err != nil {
			t.Fatal(err)
		}
		length = 0
		for _, b := range header[2:] {
			length = length<<8 | int(b)
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	return header[0] & 15, string(body)
}

func mustPut(t *testing.T, o *outbox, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if err := o.put(t.Context(), []byte(line)); err != nil {
			t.Fatalf("put %q: %v", line, err)
		}
	}
}

func TestLinesThatWaitShareAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, client := newOutbox(t, 1<<20)
		mustPut(t, o, "first")
		synctest.Wait() // it is being written
		long := strings.Repeat("x", frameBytes)
		mustPut(t, o, "a", "b", "c", long, "d")
		for _, want := range []string{"first", "a\nb\nc", long, "d"} {
			if _, got := nextFrame(t, client); got != want {
				t.Errorf("got a frame of %d bytes, %.20q, want %.20q", len(got), got, want)
			}
		}
	})
}

func TestOutboxHasRoomForOneLineHoweverLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, client := newOutbox(t, 10)
		mustPut(t, o, strings.Repeat("x", 1000))
		put := make(chan error, 1)
		go func() { put <- o.put(t.Context(), []byte("next")) }()
		synctest.Wait()
		select {
		case err := <-put:
			t.Fatalf("put into a full outbox: %v", err)
		default:
		}
		if _, got := nextFrame(t, client); len(got) != 1000 {
			t.Errorf("%d bytes came", len(got))
		}
		if err := <-put; err != nil {
			t.Errorf("put after room was made: %v", err)
		}
		if _, got := nextFrame(t, client); got != "next" {
			t.Errorf("got %q", got)
		}
		synctest.Wait()
		if n := o.waiting(); n != 0 || o.writing {
			t.Errorf("%d bytes wait and writing is %v, want rest", n, o.writing)
		}
	})
}

func TestWaitingEndsWithItsContextOrTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOutbox(t, 1)
		mustPut(t, o, "x")
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 4)
		go func() { results <- o.put(ctx, []byte("y")) }()
		go func() { results <- o.drained(ctx) }()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
		go func() { results <- o.put(t.Context(), []byte("y")) }()
		go func() { results <- o.putFrame(t.Context(), []byte("y")) }()
		synctest.Wait()
		o.end()
		for range 2 {
			if err := <-results; !errors.Is(err, errEnded) {
				t.Errorf("got %v, want errEnded", err)
			}
		}
	})
}

func TestOnePingWaitsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, client := newOutbox(t, 1<<20)
		mustPut(t, o, "first")
		synctest.Wait()
		for range 3 {
			o.ping()
		}
		mustPut(t, o, "last")
		var got []string
		for range 3 {
			op, payload := nextFrame(t, client)
			got = append(got, fmt.Sprint(op, payload))
		}
		if want := "[1first 9 1last]"; fmt.Sprint(got) != want {
			t.Errorf("got %q, want one ping", got)
		}
	})
}

// newSocketOutbox writes to a TCP connection, of which only the kernel takes something before the client reads.
func newSocketOutbox(t *testing.T) (*outbox, net.Conn) {
	t.Helper()
	server, client := tcpPair(t)
	o := &outbox{sock: newSocket(server), max: 1 << 20, fail: func() {}}
	t.Cleanup(func() { o.end() })
	return o, client
}

func tcpPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server, client
}

// clog fills the kernel's buffers with frames of 30,000 letters and returns how many there are. The last waits, at least in part.
func clog(t *testing.T, o *outbox) (sent int) {
	t.Helper()
	for ; o.waiting() == 0; sent++ {
		frame := append(beginFrame(nil), letters(sent)...)
		if err := o.putFrame(t.Context(), endFrame(frame, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return sent
}

func letters(i int) string { return strings.Repeat(string(rune('a'+i%26)), 30_000) }

// wantClogged reads what clog has sent.
func wantClogged(t *testing.T, client net.Conn, sent int) {
	t.Helper()
	for i := range sent {
		if _, got := nextFrame(t, client); got != letters(i) {
			t.Fatalf("frame %d of %d is damaged", i, sent)
		}
	}
}

func TestSocketThatTakesNoMoreKeepsTheRestInOrder(t *testing.T) {
	o, client := newSocketOutbox(t)
	sent := clog(t, o)
	go func() { _ = o.put(context.Background(), []byte("the end")) }()
	wantClogged(t, client, sent)
	if _, got := nextFrame(t, client); got != "the end" {
		t.Errorf("got %q", got)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes != 0 {
		t.Errorf("%d bytes wait of nothing", o.bytes)
	}
}

func TestFramesHaveTheHeaderOfTheirLength(t *testing.T) {
	for length, header := range map[int]string{0: "81 00", 125: "81 7d", 126: "81 7e 00 7e", 65535: "81 7e ff ff", 65536: "81 7f 00 00 00 00 00 01 00 00"} {
		b := beginFrame([]byte("before"))
		frame := endFrame(append(b, make([]byte, length)...), len("before"))
		if got := fmt.Sprintf("% x", frame[:len(frame)-length]); got != header {
			t.Errorf("%d bytes: header %s, want %s", length, got, header)
		}
	}
}
