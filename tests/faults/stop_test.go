package faults_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// load is callers that publish one message after another, each over one connection.
type load struct {
	addr    string
	stopped atomic.Int64 // when the signal was sent, in Unix nanoseconds
	count   atomic.Int64
	enough  chan struct{} // closed at the thousandth message

	mu     sync.Mutex
	stored map[string]bool // ids answered 201
}

// Callers see their connection end between two requests, and never with one unanswered.
func TestStopUnderLoadAnswersEveryRequestAndKeepsEveryMessage(t *testing.T) {
	s := startStack(t)
	l := &load{addr: strings.TrimPrefix(s.PublishURL, "http://"), enough: make(chan struct{}), stored: make(map[string]bool)}
	var callers sync.WaitGroup
	for caller := range 64 {
		callers.Go(func() {
			if err := l.publish(caller); err != nil {
				t.Errorf("caller %d: %v", caller, err)
			}
		})
	}
	msgqtest.Receive(t, l.enough, "the thousandth message")
	l.stopped.Store(time.Now().UnixNano())
	s.publish.end(syscall.SIGTERM)
	if code := s.publish.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	callers.Wait()

	_, nats, _ := strings.Cut(strings.Join(s.publish.args, " "), "--nats-url=")
	url, _, _ := strings.Cut(nats, " ")
	sub, err := msgqtest.Connect(t, url, nil).Live(t.Context(), msgq.Live{Topics: []string{"load"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	t.Logf("%d messages were acknowledged", len(l.stored))
	for m, err := range sub.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatalf("%d of the acknowledged messages are not in the stream: %v", len(l.stored), err)
		}
		delete(l.stored, m.ID)
		if len(l.stored) == 0 {
			return
		}
	}
}

// publish goes on until the service closes the connection.
func (l *load) publish(caller int) error {
	c, err := net.DialTimeout("tcp", l.addr, msgqtest.Timeout)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(msgqtest.Timeout))
	answers := bufio.NewReader(c)
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", caller, i)
		sent := time.Now()
		_, err := fmt.Fprintf(c, "POST /v1/topics/load/messages HTTP/1.1\r\nHost: %s\r\nIdempotency-Key: %s\r\nContent-Length: 1\r\n\r\nx", l.addr, id)
		if err != nil {
			return l.lost(sent, err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return l.lost(sent, err)
		}
		_, err = answers.Discard(int(res.ContentLength))
		if err != nil || res.StatusCode != http.StatusCreated {
			return fmt.Errorf("request %s: %s, %w", id, res.Status, err)
		}
		l.keep(id)
		if res.Close {
			return nil
		}
	}
}

// lost is an error for a request without an answer, unless it was sent long
// after the stop: one on a connection that is just being closed cannot be saved.
func (l *load) lost(sent time.Time, err error) error {
	const farewell = 100 * time.Millisecond // the service gives more
	stopped := l.stopped.Load()
	if stopped != 0 && sent.Sub(time.Unix(0, stopped)) > farewell {
		return nil
	}
	return fmt.Errorf("a request without an answer: %w", err)
}

func (l *load) keep(id string) {
	l.mu.Lock()
	l.stored[id] = true
	l.mu.Unlock()
	if l.count.Add(1) == 1000 {
		close(l.enough)
	}
}
