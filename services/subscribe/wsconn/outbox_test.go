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
	"time"

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

func TestCloseFrameComesLastAndOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, client := newOutbox(t, 1<<20)
		mustPut(t, o, "before")
		o.finish([]byte{0x80 | opClose, 2, 0x03, 0xe9})
		o.finish([]byte{0x80 | opClose, 2, 0x0f, 0xff})
		o.ping()
		if err := o.put(t.Context(), []byte("after")); !errors.Is(err, errEnded) {
			t.Errorf("put after the close: %v", err)
		}
		go o.end()
		if _, got := nextFrame(t, client); got != "before" {
			t.Errorf("got %q", got)
		}
		if op, got := nextFrame(t, client); op != opClose || got != "\x03\xe9" {
			t.Errorf("got opcode %d, %q, want the first close", op, got)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := client.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("something came after the close")
		}
	})
}

func TestEndGivesAStalledClientItsTimeForTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOutbox(t, 1<<20)
		mustPut(t, o, "nobody reads this")
		o.finish([]byte{0x80 | opClose, 0})
		start := time.Now()
		o.end()
		if took := time.Since(start); took != closeTimeout {
			t.Errorf("it took %s, want %s", took, closeTimeout)
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

func TestSocketThatTakesNoMoreKeepsTheRestInOrder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	o := &outbox{sock: newSocket(server), max: 1 << 20, fail: func() {}}
	defer o.end()
	sent := 0
	for n := 0; n == 0; n = o.waiting() { // until the kernel's buffers are full
		frame := append(beginFrame(nil), strings.Repeat(string(rune('a'+sent%26)), 30_000)...)
		if err := o.putFrame(t.Context(), endFrame(frame, 0)); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	go func() { _ = o.put(context.Background(), []byte("the end")) }()
	for i := range sent {
		if _, got := nextFrame(t, client); got != strings.Repeat(string(rune('a'+i%26)), 30_000) {
			t.Fatalf("frame %d of %d is damaged", i, sent)
		}
	}
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
