package msgqtest

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Cluster is three brokers in the test's process, which keep everything three times.
type Cluster struct {
	Nodes [clusterSize]*Node

	t testing.TB
}

const clusterSize = 3

// Node is one broker of a cluster. It keeps its ports and its data while it is stopped.
type Node struct {
	// URL is where clients connect.
	URL string

	t    testing.TB
	opts *server.Options
	srv  *server.Server
}

// NewCluster starts a cluster that ends with the test, and waits until it can store messages.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	return newCluster(t, func(_, _ int, addr string) string { return addr })
}

// NewLaggingCluster is [NewCluster] whose last node hears of everything so much later.
func NewLaggingCluster(t testing.TB, lag time.Duration) *Cluster {
	t.Helper()
	return newCluster(t, func(from, to int, addr string) string {
		if max(from, to) < clusterSize-1 {
			return addr
		}
		return newLink(t, addr, lag).addr
	})
}

// newCluster has each node reach each other one where wire says, given its address.
func newCluster(t testing.TB, wire func(from, to int, addr string) string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	ports := freePorts(t, 2*clusterSize)
	routes, advertised := wired(ports[clusterSize:], wire)
	for i := range c.Nodes {
		name := string(rune('a' + i))
		c.Nodes[i] = &Node{t: t, URL: "nats://127.0.0.1:" + strconv.Itoa(ports[i]), opts: &server.Options{
			ServerName: name, Host: "127.0.0.1", Port: ports[i], JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			MaxPayload: 2 << 20, NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{
				Name: "msgqtest", Host: "127.0.0.1", Port: ports[clusterSize+i], NoAdvertise: true, Advertise: advertised[i],
			},
			Routes: routes[i],
		}}
	}
	t.Cleanup(func() {
		for _, n := range c.Nodes {
			n.Stop()
		}
	})
	c.Nodes[1].Start()
	c.Nodes[2].Start()
	Eventually(t, "two nodes have found each other", func() bool { return c.Nodes[1].srv.NumRoutes() > 0 })
	c.Nodes[0].Start() // last: the others never reach each other by what it was advertised
	Eventually(t, "the cluster has a leader and all its members", func() bool {
		for _, n := range c.Nodes {
			if n.srv.JetStreamIsLeader() {
				return len(n.srv.JetStreamClusterPeers()) == clusterSize
			}
		}
		return false
	})
	return c
}

// wired is how each node reaches the others, and what those who hear of it from another are told.
func wired(ports []int, wire func(from, to int, addr string) string) (routes [clusterSize][]*url.URL, advertised [clusterSize]string) {
	for from := range routes {
		for to, port := range ports {
			if from == to {
				continue
			}
			addr := wire(from, to, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			routes[from] = append(routes[from], &url.URL{Scheme: "nats", Host: addr})
			advertised[to] = cmp.Or(advertised[to], addr)
		}
	}
	return routes, advertised
}

// URL names all nodes.
func (c *Cluster) URL() string {
	urls := make([]string, clusterSize)
	for i, n := range c.Nodes {
		urls[i] = n.URL
	}
	return strings.Join(urls, ",")
}

// Connect opens a client that keeps three copies and ends with the test. change may be nil.
func (c *Cluster) Connect(change func(*msgq.Config)) *msgq.Client {
	c.t.Helper()
	return Connect(c.t, c.URL(), func(cfg *msgq.Config) {
		cfg.Replicas = clusterSize
		if change != nil {
			change(cfg)
		}
	})
}

// WaitWhole waits until every replica of every stream has what the others have: then any one node may fail.
func (c *Cluster) WaitWhole() {
	c.t.Helper()
	js := JetStream(c.t, c.URL())
	Eventually(c.t, "all replicas are level", func() bool {
		list := js.ListStreams(context.Background())
		level := 0
		behind := 0
		for info := range list.Info() { // to its end: the list has a goroutine
			if isLevel(info) {
				level++
			} else {
				behind++
			}
		}
		return list.Err() == nil && level > 0 && behind == 0
	})
}

func isLevel(info *jetstream.StreamInfo) bool {
	if info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != info.Config.Replicas-1 {
		return false
	}
	return !slices.ContainsFunc(info.Cluster.Replicas, func(r *jetstream.PeerInfo) bool { return !r.Current || r.Offline })
}

// Leader is the node that leads the stream, nil while none does.
func (c *Cluster) Leader(stream string) *Node {
	for _, n := range c.Nodes {
		if n.srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
			return n
		}
	}
	return nil
}

// LeadFrom has the node lead the stream.
func (c *Cluster) LeadFrom(stream string, n *Node) {
	c.t.Helper()
	c.WaitWhole()
	nc := JetStream(c.t, c.URL()).Conn()
	Eventually(c.t, n.opts.ServerName+" leads "+stream, func() bool {
		if c.Leader(stream) == n {
			return true
		}
		// Nobody answers while there is no leader.
		_, err := nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, []byte(`{"placement":{"preferred":"`+n.opts.ServerName+`"}}`), time.Second)
		return err != nil && c.Leader(stream) == n // the next look tells
	})
}

// Start starts a stopped node with its old ports and data.
func (n *Node) Start() {
	n.t.Helper()
	srv, err := server.NewServer(n.opts.Clone())
	if err != nil {
		n.t.Fatal(err)
	}
	n.srv = srv
	srv.Start()
}

// Stop ends the node and leaves its data. Stopping twice is harmless.
func (n *Node) Stop() {
	if n.srv != nil {
		n.srv.Shutdown()
		n.srv.WaitForShutdown()
	}
}

// freePorts are ports of 127.0.0.1 that nobody uses.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	var listeners []net.Listener
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		if addr, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, addr.Port)
		}
	}
	for _, l := range listeners { // together: one closed before could be given again
		_ = l.Close()
	}
	return ports
}
