package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
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
	jobCount    = 20_000
	jobMembers  = 10
	jobAttempts = 5
	jobBatch    = 500
)

// seedOf is random, or MSGQ_SEED to decide as another run did.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("MSGQ_SEED")
	if text == "" {
		text = strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("MSGQ_SEED: %v", err)
	}
	t.Logf("MSGQ_SEED=%d", seed)
	return seed
}

// fate is what members know of a job.
type fate struct {
	delivered               int // highest attempt that a member saw
	acked, rejected         bool
	ackedSure, rejectedSure bool // the broker has confirmed it
	dead                    int  // attempts of its dead letter, 0: there is none
}

// jobs is the record of all members.
type jobs struct {
	t        *testing.T
	urls     []string
	deadline time.Time

	mu    sync.Mutex
	fates []fate
	done  bool
}

func TestEachJobEndsAcknowledgedOrDeadThroughKilledInstances(t *testing.T) {
	seed := seedOf(t)
	s := startStack(t)
	otherAddr := freeAddr(t)
	other := start(t, "subscribe", s.subscribe.args[1], "--subscribe-addr="+otherAddr, "--publish-url="+s.PublishURL)
	msgqtest.Eventually(t, "the other instance is ready", func() bool { return answers(t, s.Client, "http://"+otherAddr+"/readyz") })
	settings := fmt.Sprintf(`{"topics":["a.b"],"ack_wait":"2s","max_attempts":%d,"backoff":"50ms"}`, jobAttempts)
	if r := s.Do(t, http.MethodPut, s.SubscribeURL+"/v1/queues/jobs", settings, "Content-Type: application/json"); r.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", r.Status, r.Body)
	}

	j := &jobs{t: t, urls: []string{s.SubscribeURL, "http://" + otherAddr}, deadline: time.Now().Add(5 * time.Minute), fates: make([]fate, jobCount)}
	var members sync.WaitGroup
	for m := range jobMembers {
		members.Go(func() { j.member(rand.New(rand.NewPCG(seed, uint64(m)))) })
	}
	for first := 0; first < jobCount; first += jobBatch {
		switch first / jobBatch {
		case jobCount / jobBatch / 3:
			other.end(syscall.SIGKILL)
			other.run()
		case jobCount / jobBatch * 2 / 3:
			s.subscribe.end(syscall.SIGKILL)
			s.subscribe.run()
		}
		publishAgainUntilStored(t, s, first)
	}
	j.waitSettled(s)
	j.mu.Lock()
	j.done = true
	j.mu.Unlock()
	members.Wait()
	j.readDead(s)
	j.check()
}

// member works at the queue until all is done, over connections that end at random.
func (j *jobs) member(random *rand.Rand) {
	for !j.over() {
		url := "ws" + strings.TrimPrefix(j.urls[random.IntN(len(j.urls))], "http") + "/v1/ws"
		conn, _, err := websocket.DefaultDialer.DialContext(j.t.Context(), url, nil)
		if err != nil { // that instance is down
			<-time.After(20 * time.Millisecond)
			continue
		}
		j.work(conn, random)
		_ = conn.Close()
	}
}

func (j *jobs) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done || j.t.Failed()
}

// work takes jobs until the connection ends, after 1 to 1000 objects or a second of silence.
func (j *jobs) work(conn *websocket.Conn, random *rand.Rand) {
	if conn.WriteJSON(map[string]any{"type": "subscribe", "id": "j", "queue": "jobs", "credit": 50}) != nil {
		return
	}
	for quota := 1 + random.IntN(1000); quota > 0; {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return
		}
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			var f harness.Frame
			if err := json.Unmarshal(line, &f); err != nil {
				j.t.Errorf("%q: %v", line, err)
				return
			}
			quota--
			if answer := j.take(f, random); answer != nil && conn.WriteJSON(answer) != nil {
				return
			}
		}
	}
}

// take decides about a job, or hears what became of a decision. Nil: nothing is sent.
func (j *jobs) take(f harness.Frame, random *rand.Rand) map[string]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch f.Type {
	case "ok":
		var kind string
		var n int
		if _, err := fmt.Sscanf(string(f.Ref), `"%1s%d"`, &kind, &n); err != nil {
			j.t.Errorf("ok with ref %s: %v", f.Ref, err)
			return nil
		}
		job := &j.fates[n]
		job.ackedSure = job.ackedSure || kind == "a"
		job.rejectedSure = job.rejectedSure || kind == "r"
		return nil
	case "message":
	default:
		return nil
	}
	n, err := strconv.Atoi(f.MessageID)
	if err != nil || f.Attempt < 1 || f.Attempt > jobAttempts {
		j.t.Errorf("got %+v, want at most attempt %d", f, jobAttempts)
		return nil
	}
	job := &j.fates[n]
	job.delivered = max(job.delivered, f.Attempt)
	answer := map[string]any{"id": "j", "tags": []string{f.Tag}}
	switch random.IntN(20) {
	case 0: // silence: the ack wait runs out, or the connection ends before
		return nil
	case 1:
		answer["type"], answer["ref"] = "reject", fmt.Sprintf("r%d", n)
		job.rejected = true
	case 2, 3, 4:
		answer["type"], answer["ref"] = "nack", fmt.Sprintf("n%d", n)
	default:
		answer["type"], answer["ref"] = "ack", fmt.Sprintf("a%d", n)
		job.acked = true
	}
	return answer
}

type jobCounts struct {
	Ready, Dead  int
	InFlight     int `json:"in_flight"`
	WaitingRetry int `json:"waiting_retry"`
}

func (j *jobs) waitSettled(s *stack) {
	j.t.Helper()
	for {
		r := s.Do(j.t, http.MethodGet, s.SubscribeURL+"/v1/queues/jobs", "")
		var now jobCounts
		if r.Status == http.StatusOK {
			r.JSON(j.t, &now)
			if now.Ready == 0 && now.InFlight == 0 && now.WaitingRetry == 0 {
				return
			}
		}
		if time.Now().After(j.deadline) {
			j.t.Fatalf("still %d %+v", r.Status, now)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// readDead marks the dead letters, each of which has to be there once.
func (j *jobs) readDead(s *stack) {
	j.t.Helper()
	for next := ""; ; {
		var page struct {
			DeadLetters []struct {
				MessageID string `json:"message_id"`
				Attempts  int
			} `json:"dead_letters"`
			Next string
		}
		s.Do(j.t, http.MethodGet, s.SubscribeURL+"/v1/queues/jobs/dead?next="+next, "").JSON(j.t, &page)
		for _, d := range page.DeadLetters {
			n, err := strconv.Atoi(d.MessageID)
			if err != nil || j.fates[n].dead > 0 || d.Attempts < 1 || d.Attempts > jobAttempts {
				j.t.Fatalf("dead letter %+v is none of ours, there twice or tried too often", d)
			}
			j.fates[n].dead = d.Attempts
		}
		if next = page.Next; next == "" {
			return
		}
	}
}

func (j *jobs) check() {
	j.t.Helper()
	acked, dead := 0, 0
	for n, f := range j.fates {
		switch {
		case f.dead == 0 && !f.acked:
			j.t.Errorf("job %d is lost: %+v", n, f)
		case f.dead == 0 && f.rejectedSure:
			j.t.Errorf("job %d was rejected and is not dead: %+v", n, f)
		case f.dead > 0 && !f.rejected && f.dead < jobAttempts:
			j.t.Errorf("job %d is dead for no cause: %+v", n, f)
		case f.dead > 0 && f.ackedSure && !f.rejected && f.delivered < jobAttempts:
			j.t.Errorf("job %d is dead, but was acknowledged: %+v", n, f)
		}
		if f.dead > 0 {
			dead++
		} else {
			acked++
		}
	}
	j.t.Logf("%d acknowledged, %d dead", acked, dead)
}
