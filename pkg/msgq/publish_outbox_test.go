package msgq_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// TestPublishGivenUpLeavesItsDataToTheCaller wants what was stored of publishes that nobody
// waited for to be what they were called with, although their data changed right after.
func TestPublishGivenUpLeavesItsDataToTheCaller(t *testing.T) {
	for _, groups := range []bool{false, true} {
		c := msgqtest.NewServer(t).Connect(nil)
		if groups {
			c.PublishInGroups()
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				data := make([]byte, 1000)
				for range 100 {
					copy(data, bytes.Repeat([]byte("a"), len(data)))
					_, _ = c.Publish(cancelled, msgq.Message{Topic: "a", Data: data})
					copy(data, bytes.Repeat([]byte("b"), len(data)))
				}
			})
		}
		callers.Wait()
		last, err := c.Publish(t.Context(), msgq.Message{Topic: "a", Data: bytes.Repeat([]byte("a"), 1000)})
		if err != nil {
			t.Fatal(err)
		}
		page, err := c.Read(t.Context(), msgq.Live{Topics: []string{">"}, From: msgq.FromAll()}, int(last.Seq))
		if err != nil || len(page.Messages) == 0 {
			t.Fatalf("%d messages, %v", len(page.Messages), err)
		}
		for _, m := range page.Messages {
			if bytes.ContainsRune(m.Data, 'b') {
				t.Fatalf("message %d has data from after its publish had returned", m.Seq)
			}
		}
	}
}

// TestBrokerAnswersAsUsual notices a broker whose answers, by a space or a member, have become slow to read.
func TestBrokerAnswersAsUsual(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	answer, err := msgqtest.JetStream(t, s.URL).Conn().Request("events.t.a", nil, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !c.IsUsualAck(answer.Data) {
		t.Errorf("%s is parsed as JSON", answer.Data)
	}
}
