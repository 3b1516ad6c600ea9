package contract_test

import (
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

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
