package contract_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

type queueInfo struct {
	Name        string
	Topics      []string
	Filter      string
	MaxAttempts int    `json:"max_attempts"`
	AckWait     string `json:"ack_wait"`
	Backoff     any
	Push        map[string]any
	Ready, Dead int
	InFlight    int `json:"in_flight"`
}

func queueURL(s *harness.Stack, name string) string { return s.SubscribeURL + "/v1/queues/" + name }

func getQueue(t *testing.T, s *harness.Stack, name string) queueInfo {
	t.Helper()
	r := s.Do(t, http.MethodGet, queueURL(s, name), "")
	if r.Status != http.StatusOK {
		t.Fatalf("queue %s: %d %s", name, r.Status, r.Body)
	}
	var info queueInfo
	r.JSON(t, &info)
	return info
}

func waitQueue(t *testing.T, s *harness.Stack, name string, ready, inFlight, dead int) {
	t.Helper()
	what := fmt.Sprintf("queue %s has %d ready, %d in flight, %d dead", name, ready, inFlight, dead)
	msgqtest.Eventually(t, what, func() bool {
		info := getQueue(t, s, name)
		return info.Ready == ready && info.InFlight == inFlight && info.Dead == dead
	})
}

// delivery waits for the next object, which has to be this attempt at the message.
func delivery(t *testing.T, ws *harness.Socket, id string, sent harness.Receipt, attempt int) harness.Frame {
	t.Helper()
	f := message(t, ws, id, sent)
	if f.Tag == "" || f.Attempt != attempt {
		t.Fatalf("got %s, want a tag and attempt %d", f.Raw, attempt)
	}
	return f
}

// settle sends an ack, nack, reject or progress and waits for its ok.
func settle(t *testing.T, ws *harness.Socket, kind, id string, fields object, tags ...string) {
	t.Helper()
	o := object{"type": kind, "id": id, "tags": tags, "ref": "s"}
	maps.Copy(o, fields)
	ws.Send(o)
	// What it makes room for, or brings again, may come before the answer.
	if f := ws.WaitRef(`"s"`); f.Type != "ok" {
		t.Fatalf("%s: got %s, want ok", kind, f.Raw)
	}
}

func TestCreditBoundsWhatIsUnacknowledged(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	var sent []harness.Receipt
	for i := range 20 {
		sent = append(sent, s.Publish(t, "jobs", fmt.Sprint(i)))
	}
	var tags []string
	for i := range 16 { // the default
		tags = append(tags, delivery(t, ws, "q", sent[i], 1).Tag)
	}
	waitQueue(t, s, "q", 4, 16, 0)
	if unique := slices.Compact(slices.Sorted(slices.Values(tags))); len(unique) != 16 {
		t.Errorf("tags %q, want each of its own", tags)
	}
	settle(t, ws, "ack", "q", nil, tags[:4]...)
	for i := 16; i < 20; i++ {
		tags = append(tags, delivery(t, ws, "q", sent[i], 1).Tag)
	}
	settle(t, ws, "ack", "q", nil, tags[4:]...)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestCreditZeroPauses(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 0})
	first, second := s.Publish(t, "jobs", `1`), s.Publish(t, "jobs", `2`)
	waitQueue(t, s, "q", 2, 0, 0)
	ws.Send(object{"type": "credit", "id": "q", "credit": 1, "ref": 1})
	if f := ws.Next(); f.Type != "ok" {
		t.Fatalf("got %s, want ok before any message", f.Raw)
	}
	tag := delivery(t, ws, "q", first, 1).Tag
	waitQueue(t, s, "q", 1, 1, 0)
	settle(t, ws, "ack", "q", nil, tag)
	delivery(t, ws, "q", second, 1)
}

func TestNackBringsTheMessageAgainAfterItsDelay(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "backoff": []string{"300ms", "1h"}})
	sent := s.Publish(t, "jobs", `1`)
	d := delivery(t, ws, "q", sent, 1)
	start := time.Now()
	settle(t, ws, "nack", "q", nil, d.Tag)
	d = delivery(t, ws, "q", sent, 2)
	if waited := time.Since(start); waited < 300*time.Millisecond {
		t.Errorf("came again after %s, the queue's backoff says 300ms", waited)
	}
	start = time.Now()
	settle(t, ws, "nack", "q", object{"delay": "200ms", "reason": "busy"}, d.Tag)
	d = delivery(t, ws, "q", sent, 3)
	if waited := time.Since(start); waited < 200*time.Millisecond {
		t.Errorf("came again after %s, the nack said 200ms", waited)
	}
	settle(t, ws, "nack", "q", object{"delay": "0s"}, d.Tag)
	delivery(t, ws, "q", sent, 4)
}

func TestMessageIsDeadAfterItsLastAttempt(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "max_attempts": 3, "backoff": "10ms"})
	sent := s.Publish(t, "jobs", `1`)
	for attempt := 1; attempt <= 3; attempt++ {
		settle(t, ws, "nack", "q", nil, delivery(t, ws, "q", sent, attempt).Tag)
	}
	waitQueue(t, s, "q", 0, 0, 1)
	delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1) // and not the first a fourth time
}

func TestRejectedMessageIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	settle(t, ws, "reject", "q", object{"reason": "no such customer\r\nat all"}, d.Tag)
	waitQueue(t, s, "q", 0, 0, 1)
	delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1)
}

func TestUnknownTagHarmsNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	first := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	second := delivery(t, ws, "q", s.Publish(t, "jobs", `2`), 1)
	for _, kind := range []string{"ack", "nack", "reject", "progress"} {
		ws.Send(object{"type": kind, "id": "q", "tags": []string{"nonsense"}, "ref": kind})
		checkError(t, ws.Next(), "unknown_tag", quote(kind))
	}
	waitQueue(t, s, "q", 0, 2, 0)
	ws.Send(object{"type": "ack", "id": "q", "tags": []string{"nonsense", first.Tag}, "ref": 1}) // the other is done all the same
	checkError(t, ws.Next(), "unknown_tag", "1")
	waitQueue(t, s, "q", 0, 1, 0)
	ws.Send(object{"type": "ack", "id": "q", "tags": []string{first.Tag}, "ref": 2})
	checkError(t, ws.Next(), "unknown_tag", "2")
	settle(t, ws, "ack", "q", nil, second.Tag)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestTagOfAnEndedSubscriptionIsUnknown(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sub := object{"topics": []string{"jobs"}, "queue": "q", "credit": 1, "backoff": "1h"}
	for name, again := range map[string]func(*harness.Socket) *harness.Socket{
		"of the same connection": func(ws *harness.Socket) *harness.Socket {
			ws.Send(object{"type": "unsubscribe", "id": "q", "ref": 1})
			ws.WaitType("ok")
			return ws
		},
		"of another connection": func(ws *harness.Socket) *harness.Socket {
			_ = ws.Conn.Close()
			return s.Dial(t, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ws := s.Dial(t, nil)
			subscribe(t, ws, "q", sub)
			sent := s.Publish(t, "jobs", `1`)
			old := delivery(t, ws, "q", sent, 1)
			ws = again(ws)
			subscribe(t, ws, "q", sub)
			now := delivery(t, ws, "q", sent, 2)
			ws.Send(object{"type": "ack", "id": "q", "tags": []string{old.Tag}, "ref": 2})
			checkError(t, ws.Next(), "unknown_tag", "2") // or a late ack of one message loses another
			settle(t, ws, "ack", "q", nil, now.Tag)
			_ = ws.Conn.Close()
		})
	}
}

func TestAckWaitBringsTheMessageAgain(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "ack_wait": "300ms"})
	sent := s.Publish(t, "jobs", `1`)
	first := delivery(t, ws, "q", sent, 1)
	delivery(t, ws, "q", sent, 2)
	delivery(t, ws, "q", sent, 3) // the first is long over
	ws.Send(object{"type": "ack", "id": "q", "tags": []string{first.Tag}, "ref": 1})
	f := ws.Next()
	for f.Type == "message" { // a further attempt may be here already
		f = ws.Next()
	}
	checkError(t, f, "unknown_tag", "1")
}

func TestProgressStartsTheAckWaitOver(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "ack_wait": "2s"})
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for range 10 { // longer than the ack wait
		<-ticker.C
		settle(t, ws, "progress", "q", nil, d.Tag)
	}
	settle(t, ws, "ack", "q", nil, d.Tag)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestMessagesOfAConnectionThatDropsGoToAnother(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	for name, drop := range map[string]func(*harness.Socket){
		"cut":          func(ws *harness.Socket) { _ = ws.Conn.NetConn().Close() },
		"unsubscribed": func(ws *harness.Socket) { ws.Send(object{"type": "unsubscribe", "id": "q"}) },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := s.Dial(t, nil), s.Dial(t, nil)
			subscribe(t, first, "q", object{"topics": []string{name}, "queue": name, "backoff": "1h"})
			sent := s.Publish(t, name, `1`)
			delivery(t, first, "q", sent, 1)
			subscribe(t, second, "other", object{"queue": name}) // joins: settings left out
			drop(first)
			start := time.Now()
			delivery(t, second, "other", sent, 2)
			if waited := time.Since(start); waited > 10*time.Second { // far below the ack wait of 30 s
				t.Errorf("came after %s, want at once", waited)
			}
		})
	}
}

func TestMembersShareAQueue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	sockets := []*harness.Socket{s.Dial(t, nil), s.Dial(t, nil)}
	for _, ws := range sockets {
		subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 5})
	}
	seqs := map[uint64]int{}
	for i := range 10 {
		s.Publish(t, "jobs", fmt.Sprint(i))
	}
	for _, ws := range sockets {
		for range 5 {
			seqs[ws.WaitType("message").Seq]++
		}
	}
	if len(seqs) != 10 {
		t.Errorf("got %v, want each of 10 messages at one member", seqs)
	}
}

func TestNewQueueStartsWhereItIsAsked(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	before := s.Publish(t, "jobs", `1`)
	last := s.Publish(t, "jobs", `2`)
	sockets := map[string]*harness.Socket{}
	for id, from := range map[string]any{"all": "all", "last": object{"last": 1}, "after": object{"after": before.Seq}, "new": "new", "default": nil} {
		sockets[id] = s.Dial(t, nil)
		subscribe(t, sockets[id], id, object{"topics": []string{"jobs"}, "queue": id, "from": from})
	}
	after := s.Publish(t, "jobs", `3`)
	for id, want := range map[string][]harness.Receipt{
		"all": {before, last, after}, "last": {last, after}, "after": {last, after}, "new": {after}, "default": {after},
	} {
		for _, sent := range want {
			delivery(t, sockets[id], id, sent, 1)
		}
		waitQueue(t, s, id, 0, len(want), 0)
	}
}

func TestMessagesThatDoNotMatchTheFilterCostNoCredit(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 1, "filter": "data.n == 7"})
	for range 40 {
		s.Publish(t, "jobs", `{"n":1}`)
	}
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `{"n":7}`), 1)
	waitQueue(t, s, "q", 0, 1, 0)
	settle(t, ws, "ack", "q", nil, d.Tag)
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestBadQueueRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--max-queues=1"}})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"a", "b"}, "queue": "q", "filter": "seq > 0"})
	sub := func(fields object) object {
		o := object{"type": "subscribe", "id": "s", "ref": 7, "queue": "q"}
		maps.Copy(o, fields)
		return o
	}
	tags := slices.Repeat([]string{"x"}, 1001)
	for name, test := range map[string]struct {
		send object
		code string
	}{
		"other topics":          {sub(object{"topics": []string{"a"}}), "queue_mismatch"},
		"another filter":        {sub(object{"filter": "seq > 1"}), "queue_mismatch"},
		"a queue too many":      {sub(object{"queue": "q2", "topics": []string{"a"}}), "limit_exceeded"},
		"no name":               {sub(object{"queue": ""}), "bad_request"},
		"a dot in the name":     {sub(object{"queue": "a.b"}), "bad_request"},
		"65 characters":         {sub(object{"queue": string(slices.Repeat([]byte("x"), 65))}), "bad_request"},
		"a new one, no topics":  {sub(object{"queue": "q3"}), "invalid_topic"},
		"credit 1001":           {sub(object{"credit": 1001}), "bad_request"},
		"credit -1":             {sub(object{"credit": -1}), "bad_request"},
		"max_attempts -1":       {sub(object{"max_attempts": -1}), "bad_request"},
		"ack_wait of a number":  {sub(object{"ack_wait": 30}), "bad_request"},
		"ack_wait of 1ns":       {sub(object{"ack_wait": "1ns"}), "bad_request"},
		"backoff below zero":    {sub(object{"backoff": "-1s"}), "bad_request"},
		"backoff that is none":  {sub(object{"backoff": []int{1}}), "bad_request"},
		"from that is none":     {sub(object{"from": "x"}), "invalid_from"},
		"ack without tags":      {object{"type": "ack", "id": "q", "ref": 7}, "bad_request"},
		"ack of 1001 tags":      {object{"type": "ack", "id": "q", "ref": 7, "tags": tags}, "bad_request"},
		"nack, delay not valid": {object{"type": "nack", "id": "q", "ref": 7, "tags": tags[:1], "delay": "soon"}, "bad_request"},
		"credit without credit": {object{"type": "credit", "id": "q", "ref": 7}, "bad_request"},
		"credit of 1001":        {object{"type": "credit", "id": "q", "ref": 7, "credit": 1001}, "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			ws.Send(test.send)
			checkError(t, ws.Next(), test.code, "7")
		})
	}
	subscribe(t, ws, "second", object{"topics": []string{"b", "a"}, "filter": "seq > 0", "queue": "q", "max_attempts": 9}) // no mismatch
}

func TestRefusedNackLeavesTheDeliveryAsItWas(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	d := delivery(t, ws, "q", s.Publish(t, "jobs", `1`), 1)
	for _, delay := range []string{"-1s", "25h"} {
		ws.Send(object{"type": "nack", "id": "q", "tags": []string{d.Tag}, "delay": delay, "ref": 1})
		checkError(t, ws.Next(), "bad_request", "1")
	}
	settle(t, ws, "ack", "q", nil, d.Tag)
}

func TestMemberIsToldThatItsQueueWasDeleted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q"})
	if r := s.Do(t, http.MethodDelete, queueURL(s, "q"), ""); r.Status != http.StatusNoContent {
		t.Fatalf("delete: %d %s", r.Status, r.Body)
	}
	if f := ws.Next(); f.Type != "unsubscribed" || f.ID != "q" || f.Code == "" {
		t.Errorf("got %s, want unsubscribed with a code", f.Raw)
	}
	subscribe(t, ws, "q", object{"topics": []string{"other"}, "queue": "q"}) // both names are free again
	delivery(t, ws, "q", s.Publish(t, "other", `1`), 1)
}

func TestAcksSentJustBeforeTheCloseAreDone(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"jobs"}, "queue": "q", "credit": 100})
	const n = 100
	for i := range n {
		s.Publish(t, "jobs", fmt.Sprint(i))
	}
	for range n {
		ws.Send(object{"type": "ack", "id": "q", "tags": []string{ws.WaitType("message").Tag}})
	}
	if err := ws.Conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	waitQueue(t, s, "q", 0, 0, 0)
}
