package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

const (
	resumeClients  = 50
	resumeMessages = 20_000
	resumeBatch    = 500
	resumeDrops    = 2 // disconnects of each client, beside those that the faults bring
)

func TestClientsResumeThroughDisconnectsAKilledInstanceAndAKilledBroker(t *testing.T) {
	s := startStack(t)
	otherAddr := freeAddr(t)
	other := start(t, "subscribe", s.subscribe.args[1], "--subscribe-addr="+otherAddr, "--publish-url="+s.PublishURL)
	msgqtest.Eventually(t, "the other instance is ready", func() bool { return answers(t, s.Client, "http://"+otherAddr+"/readyz") })
	urls := []string{s.SubscribeURL, "http://" + otherAddr}
	epoch := s.Dial(t, nil).Welcome.Epoch

	deadline := time.Now().Add(3 * time.Minute) // of a loaded machine
	var clients sync.WaitGroup
	for n := range resumeClients {
		r := &resumer{t: t, urls: urls, epoch: epoch, deadline: deadline, random: rand.New(rand.NewPCG(7, uint64(n)))}
		clients.Go(r.run)
	}
	for first := 0; first < resumeMessages; first += resumeBatch {
		switch first {
		case resumeMessages / 4:
			other.end(syscall.SIGKILL)
		case resumeMessages / 2:
			other.run()
			s.broker.end(syscall.SIGKILL)
			s.broker.run()
		case resumeMessages * 3 / 4:
			s.subscribe.end(syscall.SIGKILL)
			s.subscribe.run()
		}
		publishAgainUntilStored(t, s, first)
	}
	clients.Wait()
}

// publishAgainUntilStored repeats a batch with its ids until each message is stored.
func publishAgainUntilStored(t *testing.T, s *stack, first int) {
	t.Helper()
	var batch strings.Builder
	for n := first; n < first+resumeBatch; n++ {
		fmt.Fprintf(&batch, "{\"topic\":\"a.b\",\"id\":\"%d\",\"data\":{\"n\":%d}}\n", n, n)
	}
	msgqtest.Eventually(t, "the batch is stored", func() bool {
		r := s.Do(t, http.MethodPost, s.PublishURL+"/v1/messages", batch.String(), "Content-Type: application/x-ndjson")
		return r.Status == http.StatusOK && !bytes.Contains(r.Body, []byte(`"error"`))
	})
}

// resumer is a client that comes back with its last position, to any instance.
type resumer struct {
	t        *testing.T
	urls     []string
	epoch    string
	deadline time.Time
	random   *rand.Rand

	pos   uint64
	seen  int // messages: the next one's n
	drops int
}

func (r *resumer) run() {
	for r.seen < resumeMessages && !r.t.Failed() {
		if time.Now().After(r.deadline) {
			r.t.Errorf("a client has %d of %d messages, up to seq %d", r.seen, resumeMessages, r.pos)
			return
		}
		r.connect()
	}
}

// connect reads until the connection ends, by itself or at random.
func (r *resumer) connect() {
	url := "ws" + strings.TrimPrefix(r.urls[r.random.IntN(len(r.urls))], "http") + "/v1/ws"
	conn, _, err := websocket.DefaultDialer.DialContext(r.t.Context(), url, nil)
	if err != nil { // that instance is down
		<-time.After(20 * time.Millisecond)
		return
	}
	defer func() { _ = conn.Close() }()
	from := map[string]any{"after": r.pos, "epoch": r.epoch}
	if conn.WriteJSON(map[string]any{"type": "subscribe", "id": "r", "topics": []string{"a.*"}, "from": from}) != nil {
		return
	}
	quota := resumeMessages
	if r.drops < resumeDrops {
		r.drops++
		quota = r.random.IntN(resumeMessages / (resumeDrops + 1))
	}
	for start := r.seen; r.seen-start < quota && r.seen < resumeMessages; {
		_ = conn.SetReadDeadline(r.deadline)
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return
		}
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			if !r.take(line) {
				return
			}
		}
	}
}

// take is false where the client has to begin anew.
func (r *resumer) take(line []byte) bool {
	var f harness.Frame
	if err := json.Unmarshal(line, &f); err != nil {
		r.t.Errorf("%q: %v", line, err)
		return false
	}
	switch f.Type {
	case "subscribed":
		if !*f.Recovered || f.Epoch != r.epoch {
			r.t.Errorf("resuming behind %d: %s", r.pos, line)
		}
	case "position":
		r.pos = f.Seq
	case "error":
		if !f.Retryable {
			r.t.Errorf("got %s", line)
		}
		return false
	case "message":
		if want := fmt.Sprintf(`{"n":%d}`, r.seen); string(f.Data) != want || f.Seq <= r.pos {
			r.t.Errorf("behind seq %d came seq %d with %s, want %s", r.pos, f.Seq, f.Data, want)
			return false
		}
		r.pos = f.Seq
		r.seen++
	}
	return true
}
