package library_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// One client reads at the leader, another at a replica that hears of everything a tenth of a second later: a reader
// that changes from one to the other is ahead of it.
func TestLiveResumesAtAReplicaThatLags(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := msgqtest.NewLaggingCluster(t, 100*time.Millisecond)
	c.Connect(nil) // makes the streams
	ahead, behind := c.Nodes[0], c.Nodes[2]
	c.LeadFrom("EVENTS", ahead)
	publisher := connectNode(t, ahead)
	at := func(n *msgqtest.Node, from msgq.From) *msgq.LiveSubscription {
		t.Helper()
		// A client of its own each time: nothing is in its memory.
		sub, err := connectNode(t, n).Live(msgqtest.Context(t), msgq.Live{Topics: []string{"a"}, From: from})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		return sub
	}
	const burst = 20
	want := uint64(0)
	expect := func(sub *msgq.LiveSubscription, from, to uint64) {
		t.Helper()
		next := from
		for m, err := range sub.All(msgqtest.Context(t)) {
			if err != nil {
				t.Fatalf("waiting for %d: %v", next, err)
			}
			if m.ID != fmt.Sprint(next) || m.Seq != next {
				t.Fatalf("got id %s at seq %d, want %d", m.ID, m.Seq, next)
			}
			next++
			if next > to {
				return
			}
		}
	}
	publishBurst := func() {
		for range burst {
			want++
			if _, err := publisher.Publish(t.Context(), msgq.Message{Topic: "a", ID: fmt.Sprint(want)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	sub := at(ahead, msgq.FromAll())
	for round := range 3 {
		publishBurst()
		expect(sub, want-burst+1, want)
		place := ahead
		if round%2 == 0 {
			place = behind
		}
		all := at(behind, msgq.FromAll()) // begins before the replica has the burst
		sub = at(place, msgq.After(sub.Position()))
		if !sub.Recovered() {
			t.Errorf("round %d: not recovered", round)
		}
		publishBurst()
		expect(sub, want-burst+1, want)
		expect(all, 1, want)
	}
}

func connectNode(t *testing.T, n *msgqtest.Node) *msgq.Client {
	t.Helper()
	return msgqtest.Connect(t, n.URL, func(cfg *msgq.Config) { cfg.Replicas = 3 })
}
