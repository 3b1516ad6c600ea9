package msgq_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// resume reads what a subscription behind seq is given up to the fourth message.
func resume(t *testing.T, c *msgq.Client, seq uint64) (got []string, sub *msgq.LiveSubscription) {
	t.Helper()
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: seq})})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	return ids(readUntil(t, sub, "4")), sub
}

// followers connects clients that have messages 1 to 4 of topic a in memory.
func followers(t *testing.T, s *msgqtest.Server, n int) (clients []*msgq.Client) {
	t.Helper()
	for range n {
		c := s.Connect(nil)
		if _, err := c.Head(t.Context()); err != nil { // it follows the stream from here on
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	for id := range 4 {
		publish(t, clients[0], msgq.Message{Topic: "a", ID: fmt.Sprint(id + 1)})
	}
	for _, c := range clients {
		if got, _ := resume(t, c, 0); len(got) != 4 {
			t.Fatalf("before: %v", got)
		}
	}
	return clients
}

func TestADeletedMessageIsGoneFromAllClients(t *testing.T) {
	clients := followers(t, msgqtest.NewServer(t), 2)
	if err := clients[0].Delete(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if got, sub := resume(t, clients[0], 0); !slices.Equal(got, []string{"1", "3", "4"}) || !sub.Recovered() {
		t.Errorf("who deleted it gives %v, recovered %v", got, sub.Recovered())
	}
	msgqtest.Eventually(t, "the other one forgets it", func() bool {
		got, sub := resume(t, clients[1], 0)
		return slices.Equal(got, []string{"1", "3", "4"}) && sub.Recovered()
	})
}

func TestDeletedFirstMessagesAreToldToWhoResumesBeforeThem(t *testing.T) {
	clients := followers(t, msgqtest.NewServer(t), 2)
	for _, seq := range []uint64{2, 1, 3} {
		if err := clients[0].Delete(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	if got, sub := resume(t, clients[0], 0); len(got) != 1 || sub.Recovered() {
		t.Errorf("who deleted them gives %v, recovered %v", got, sub.Recovered())
	}
	if got, sub := resume(t, clients[0], 3); len(got) != 1 || !sub.Recovered() {
		t.Errorf("behind them: %v, recovered %v", got, sub.Recovered())
	}
	msgqtest.Eventually(t, "the other one knows", func() bool {
		got, sub := resume(t, clients[1], 0)
		return len(got) == 1 && !sub.Recovered()
	})
}

func TestADeletionThatGotNoAnswerIsToldByItsRepetition(t *testing.T) {
	s := msgqtest.NewServer(t)
	clients := followers(t, s, 2)
	newRawStream(t, s.URL).delete(t, 2, 2)                                    // nobody is told
	msgqtest.Eventually(t, "the repetition has both forget it", func() bool { // at first it may not know that there was one
		if err := clients[0].Delete(t.Context(), 2); !errors.Is(err, msgq.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		here, _ := resume(t, clients[0], 0)
		there, _ := resume(t, clients[1], 0)
		return len(here) == 3 && len(there) == 3
	})
}

func TestAClientForgetsWhatWasDeletedWhileItWasCutOff(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := followers(t, s, 1)[0]
	newRawStream(t, s.URL).delete(t, 2, 2) // nobody is told
	s.Restart()
	msgqtest.Eventually(t, "it forgets the message", func() bool {
		page, err := c.Read(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()}, 10)
		if err != nil || len(page.Messages) != 3 { // until it is connected again
			return false
		}
		got, _ := resume(t, c, 0)
		return slices.Equal(got, []string{"1", "3", "4"})
	})
}

func TestADeletedMessageLeavesNoCopiesInQueues(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	dead := bury(t, c, 2)
	other := &nats.Msg{Subject: fmt.Sprintf("events.d.q.%d.5", dead[0].Seq), Header: nats.Header{
		"Msgq-Id": {"of another life of the stream"}, "Msgq-Dead-Time": {"2020-01-01T00:00:00Z"},
	}}
	if _, err := msgqtest.JetStream(t, s.URL).PublishMsg(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	m := join(t, c, msgq.Queue{Name: "r", Topics: []string{"a"}, From: msgq.FromAll()}, 2)
	for range 2 {
		if err := msgqtest.Receive(t, m.Deliveries(), "delivery").NackAfter(t.Context(), time.Hour, "not now"); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func() uint64 {
		info, err := c.QueueInfo(t.Context(), "r")
		if err != nil {
			t.Fatal(err)
		}
		return info.WaitingRetry
	}
	if n := waiting(); n != 2 {
		t.Fatalf("%d wait", n)
	}
	if err := c.Delete(t.Context(), dead[0].Seq); err != nil {
		t.Fatal(err)
	}
	if got := deadIDs(t, c); got != "[1 of another life of the stream]" {
		t.Errorf("dead letters are left: %s", got)
	}
	if n := waiting(); n != 1 {
		t.Errorf("%d wait for a retry, want the other one", n)
	}
	for _, seq := range []uint64{0, dead[0].Seq, 1000} {
		if err := c.Delete(t.Context(), seq); !errors.Is(err, msgq.ErrNotFound) {
			t.Errorf("deleting %d: %v", seq, err)
		}
	}
}
