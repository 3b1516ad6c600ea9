package library_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// atFirst connects to the first node of a cluster, which it knows by two names, and knows the others.
type atFirst struct{ *msgqtest.ClusterToCut }

func (c atFirst) Connect(func(*msgq.Config)) *msgq.Client {
	return c.ClusterToCut.Connect(func(cfg *msgq.Config) {
		cfg.URL = strings.Replace(c.Nodes[0].URL, "127.0.0.1", "localhost", 1) + "," + cfg.URL
		cfg.NATSOptions = []nats.Option{nats.DontRandomize()}
	})
}

// Every client is at the node that leads the stream when that one is cut off from the others: the connections are well,
// and of no use.
func TestClusterGoesOnWithoutANodeThatIsCutOff(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := msgqtest.NewClusterToCut(t)
	w := watchWorkers(t, atFirst{c})
	r := watchLive(t, atFirst{c})
	p := startPublishers(t, atFirst{c})
	p.waitFor(500)
	c.LeadFrom("EVENTS", c.Nodes[0])
	c.Cut()
	p.waitFor(p.acknowledged.Load() + 500) // much more than can be under way
	c.Mend()
	p.waitFor(p.acknowledged.Load() + 500)
	checkAll(t, p, r, w)
}

// Two of three are gone, and the third goes on answering: as the leader that it was, and then without one.
func TestClientOfAClusterWithoutAMajorityIsNotReady(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := msgqtest.NewClusterToCut(t)
	client := atFirst{c}.Connect(nil)
	c.LeadFrom("EVENTS", c.Nodes[0])
	c.Nodes[1].Stop()
	c.Nodes[2].Stop()
	msgqtest.Eventually(t, "the client tells that there is no majority", func() bool {
		return errors.Is(client.Check(t.Context()), msgq.ErrNoQuorum)
	})
	c.Nodes[1].Start()
	msgqtest.Eventually(t, "the client is ready with two of three", func() bool { return client.Check(t.Context()) == nil })
}
