package faults_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
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
	kills int
	done  bool
}

func TestEachJobEndsAcknowledgedOrDeadThroughKilledInstancesAndMembers(t *testing.T) {
	seed := seedOf(t)
	s := startStack(t)
	otherAddr := freeAddr(t)
	other := start(t, "subscribe", s.subscribe.args[1], "--subscribe-addr="+otherAddr, "--publish-url="+s.PublishURL)
	msgqtest.Eventually(t, "the other instance is ready", func() bool { return answers(t, s.Client, "http://"+otherAddr+"/readyz") })
	settings := fmt.Sprintf(`{"topics":["a.b"],"ack_wait":"2s","max_attempts":%d,"backoff":"50ms"}`, jobAttempts)
	if r := s.Do(t, http.MethodPut, s.SubscribeURL+"/v1/queues/jobs", settings, "Content-Type: application/json"); r.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", r.Status, r.Body)
	}

	j := &jobs{t: t, deadline: time.Now().Add(5 * time.Minute), fates: make([]fate, jobCount)}
	for _, url := range []string{s.SubscribeURL, "http://" + otherAddr} {
		j.urls = append(j.urls, "ws"+strings.TrimPrefix(url, "http")+"/v1/ws")
	}
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

// member is one process after the other, each killed in the middle of its work.
func (j *jobs) member(random *rand.Rand) {
	for !j.over() {
		cmd := exec.CommandContext(context.Background(), filepath.Join(bin, "jobmember"), append([]string{strconv.FormatUint(random.Uint64(), 10)}, j.urls...)...)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			j.t.Errorf("member: %v", err)
			return
		}
		j.follow(cmd, out, 1+random.IntN(linesOfLife))
		_ = cmd.Wait() // it was killed
	}
}

// linesOfLife is how much a member has to say at most before it is killed.
const linesOfLife = 2000

// follow reads what the member does, kills it after so many lines or when all is done, and reads the rest: what it had
// said by then it may have done.
func (j *jobs) follow(cmd *exec.Cmd, out io.Reader, lines int) {
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a member with nothing to do says nothing
		for ticker := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-stop:
				ticker.Stop()
				return
			case <-ticker.C:
				if j.over() {
					_ = cmd.Process.Kill()
				}
			}
		}
	}()
	said := bufio.NewScanner(out)
	for ; said.Scan(); lines-- {
		j.note(said.Text())
		if lines == 1 {
			j.mu.Lock()
			j.kills++
			j.mu.Unlock()
			_ = cmd.Process.Kill()
		}
	}
}

func (j *jobs) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done || j.t.Failed()
}

// note takes down what a member does.
func (j *jobs) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var what string
	var n, attempt int
	if _, err := fmt.Sscan(line, &what, &n); err != nil || n < 0 || n >= jobCount {
		j.t.Errorf("a member says %q", line)
		return
	}
	job := &j.fates[n]
	switch what {
	case "got":
		if _, err := fmt.Sscan(line, &what, &n, &attempt); err != nil || attempt < 1 || attempt > jobAttempts {
			j.t.Errorf("a member says %q, want at most attempt %d", line, jobAttempts)
		}
		job.delivered = max(job.delivered, attempt)
	case "ack":
		job.acked = true
	case "reject":
		job.rejected = true
	case "acked":
		job.ackedSure = true
	case "rejected":
		job.rejectedSure = true
	default:
		j.t.Errorf("a member says %q", line)
	}
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
	if j.kills < jobMembers {
		j.t.Errorf("%d members were killed in the middle of their work: that shows little", j.kills)
	}
	j.t.Logf("%d acknowledged, %d dead; %d members killed", acked, dead, j.kills)
}
