package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// counts are a queue's, as its API tells them.
// Members is left out: it tells of requests, of which one member may have several or none.
type counts struct {
	Ready, Dead, Delivered, Acknowledged, Expired int
	InFlight                                      int `json:"in_flight"`
	WaitingRetry                                  int `json:"waiting_retry"`
}

// getCounts are those of the queue q.
func getCounts(t *testing.T, s *harness.Stack) (n counts) {
	t.Helper()
	s.Do(t, http.MethodGet, queueURL(s, "q"), "").JSON(t, &n)
	return n
}

func waitCounts(t *testing.T, s *harness.Stack, want counts) {
	t.Helper()
	var got counts
	defer func() {
		if got != want {
			t.Logf("the last counts were %+v", got)
		}
	}()
	msgqtest.Eventually(t, fmt.Sprintf("counts %+v", want), func() bool {
		got = getCounts(t, s)
		return got == want
	})
}

func TestCountsFollowEveryStepOfAMessage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "filter": "data.n != 0", "max_attempts": 2, "backoff": "1h"})
	waitCounts(t, s, counts{})
	for n := range 6 {
		s.Publish(t, "a", fmt.Sprintf(`{"n":%d}`, n))
	}
	s.Publish(t, "b", `{"n":9}`)
	waitCounts(t, s, counts{Ready: 6}) // the broker knows no filter

	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"queue": "q", "credit": 5})
	tags := make([]string, 5)
	for i := range tags {
		tags[i] = ws.WaitType("message").Tag
	}
	waitCounts(t, s, counts{InFlight: 5, Delivered: 6, Acknowledged: 1})
	settle(t, ws, "ack", "q", nil, tags[0], tags[1])
	waitCounts(t, s, counts{InFlight: 3, Delivered: 6, Acknowledged: 3})
	settle(t, ws, "reject", "q", nil, tags[2])
	settle(t, ws, "nack", "q", nil, tags[3])
	settle(t, ws, "nack", "q", object{"delay": "29s"}, tags[4]) // short: the broker holds it
	waitCounts(t, s, counts{InFlight: 1, WaitingRetry: 1, Dead: 1, Delivered: 6, Acknowledged: 3})
	checkCount(t, clearing(t, s, "redrive", "q", `{"all":true}`), 1)
	settle(t, ws, "ack", "q", nil, ws.WaitType("message").Tag)
	waitCounts(t, s, counts{InFlight: 1, WaitingRetry: 1, Delivered: 7, Acknowledged: 4})
	ws.Send(object{"type": "unsubscribe", "id": "q", "ref": 1})
	ws.WaitRef("1")
	waitCounts(t, s, counts{InFlight: 1, WaitingRetry: 1, Delivered: 7, Acknowledged: 4})
}

func TestMetricsHaveTheCountsOfQueues(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"a"}})
	for range 4 {
		s.Publish(t, "a", `{}`)
	}
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"queue": "q", "credit": 3})
	settle(t, ws, "reject", "q", nil, ws.WaitType("message").Tag)
	settle(t, ws, "ack", "q", nil, ws.WaitType("message").Tag)
	waitMetrics(t, s, `msgq_queue_dead{queue="q"} 1`, `msgq_queue_delivered_total{queue="q"} 4`, `msgq_queue_acknowledged_total{queue="q"} 1`,
		`msgq_queue_in_flight{queue="q"} 2`, `msgq_queue_ready{queue="q"} 0`, `msgq_queue_waiting_retry{queue="q"} 0`, `msgq_queue_expired_total{queue="q"} 0`)
}

// waitMetrics waits until the subscribe service's metrics have these lines.
func waitMetrics(t *testing.T, s *harness.Stack, lines ...string) {
	t.Helper()
	for _, line := range lines {
		msgqtest.Eventually(t, line, func() bool {
			return strings.Contains(string(s.Do(t, http.MethodGet, s.SubscribeURL+"/metrics", "").Body), "\n"+line+"\n")
		})
	}
}

// TestCountsAgreeWithTheBrokerUnderActivity has members of both kinds work while the counts are read: none
// may fall that only grows, and at the end they are what the members did, and what the broker says.
func TestCountsAgreeWithTheBrokerUnderActivity(t *testing.T) {
	t.Parallel()
	const n = 400
	s := harness.Start(t, harness.Options{})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "max_attempts": 1000, "ack_wait": "1m"})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"queue": "q", "credit": 20})
	go s.PublishMany(t, n, "a")
	var did counts
	act := func(i int, settle func(kind string, fields object)) {
		switch i % 10 {
		case 7:
			settle("reject", nil)
			did.Dead++
		case 8:
			settle("nack", object{"delay": "1h"})
			did.WaitingRetry++
		case 9:
			settle("nack", object{"delay": "0s"})
			return
		default:
			settle("ack", nil)
			did.Acknowledged++
		}
	}
	var before counts
	for i := 0; did.Acknowledged+did.Dead+did.WaitingRetry < n; i++ {
		if i%2 == 0 {
			f := ws.WaitType("message")
			act(i/2, func(kind string, fields object) { settle(t, ws, kind, "q", fields, f.Tag) })
		} else if got := pullSome(t, s, "q", `{"max":5}`); len(got) > 0 {
			for j, m := range got {
				act(i+j, func(kind string, fields object) { settleTags(t, s, kind, "q", fields, []string{m.Tag}, http.StatusOK) })
			}
		}
		if i%20 == 0 {
			now := getCounts(t, s)
			if now.Delivered < before.Delivered || now.Acknowledged < before.Acknowledged || now.Acknowledged > did.Acknowledged ||
				now.Dead != did.Dead || now.WaitingRetry != did.WaitingRetry || now.Ready+now.InFlight > n {
				t.Fatalf("counts %+v after %+v, did %+v", now, before, did)
			}
			before = now
		}
	}
	stream := brokerStream(t, s, "EVENTS")
	consumer, err := stream.Consumer(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	did.Delivered = int(consumer.CachedInfo().Delivered.Consumer)
	waitCounts(t, s, did)
	info := consumer.CachedInfo()
	if info.NumPending != 0 || info.NumAckPending != 0 {
		t.Errorf("the broker has %d pending, %d not acknowledged", info.NumPending, info.NumAckPending)
	}
	if dead := brokerStream(t, s, "EVENTS_DEAD").CachedInfo().State.Msgs; int(dead) != did.Dead {
		t.Errorf("the broker has %d dead letters, want %d", dead, did.Dead)
	}
	if later := brokerStream(t, s, "EVENTS_LATER").CachedInfo().State.Msgs; int(later) != did.WaitingRetry {
		t.Errorf("the broker has %d retries, want %d", later, did.WaitingRetry)
	}
}

// brokerStream asks the broker itself.
func brokerStream(t *testing.T, s *harness.Stack, name string) jetstream.Stream {
	t.Helper()
	js := msgqtest.JetStream(t, s.Broker.URL)
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}
