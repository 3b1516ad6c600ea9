package msgq_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// waitMembers waits until each client knows of so many members.
func waitMembers(t *testing.T, n int, clients ...*msgq.Client) {
	t.Helper()
	for i, c := range clients {
		msgqtest.Eventually(t, fmt.Sprintf("client %d knows of %d members", i, n), func() bool {
			info, err := c.QueueInfo(t.Context(), "q")
			return err == nil && info.Members == n
		})
	}
}

func TestEveryClientKnowsTheMembersOfAll(t *testing.T) {
	s := msgqtest.NewServer(t)
	a, b := s.Connect(nil), s.Connect(nil)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}}
	join := func(c *msgq.Client, credit int) *msgq.Member {
		m, err := c.Join(t.Context(), q, credit)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := join(a, 1)
	join(a, 0) // pauses, and is there all the same
	join(b, 1)
	waitMembers(t, 3, a, b)

	for i := range 2 { // who is busy up to its credit is a member too
		publish(t, a, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	msgqtest.Eventually(t, "both are busy", func() bool {
		info, err := a.QueueInfo(t.Context(), "q")
		return err == nil && info.InFlight == 2
	})
	waitMembers(t, 3, a, b, s.Connect(nil)) // who comes late is told

	first.Leave()
	waitMembers(t, 2, a, b)
	s.Restart()
	waitMembers(t, 2, a, b)
	b.Close()
	waitMembers(t, 1, a)
}

func TestMembersOfAClientThatSaysNothingMoreAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := msgq.NewRoster()
		r.Hear(`{"client":"other","queues":{"q":2}}`)
		r.Hear(`no JSON`)
		<-time.After(15 * time.Second) // virtual
		if n := r.Members("q"); n != 2 {
			t.Errorf("%d members after 15 s, want 2", n)
		}
		<-time.After(time.Second) // virtual
		if n := r.Members("q"); n != 0 {
			t.Errorf("%d members after 16 s of silence, want none", n)
		}
	})
}
