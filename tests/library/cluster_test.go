package library_test

import (
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// The node that leads the stream leaves, again and again: the hardest for everybody.
func TestClusterGoesOnWithoutItsLeader(t *testing.T) {
	t.Parallel()
	c := msgqtest.NewCluster(t)
	w := watchWorkers(t, c)
	r := watchLive(t, c)
	p := startPublishers(t, c)
	for range 6 {
		p.waitFor(p.acknowledged.Load() + 500)
		c.WaitWhole()
		leader := c.Leader("EVENTS")
		if leader == nil {
			t.Fatal("the stream has no leader, though its replicas are level")
		}
		leader.Stop()
		p.waitFor(p.acknowledged.Load() + 500) // the other two go on
		leader.Start()
	}
	p.waitFor(p.acknowledged.Load() + 1)
	checkAll(t, p, r, w)
}
