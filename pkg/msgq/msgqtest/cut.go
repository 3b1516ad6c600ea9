package msgqtest

import "testing"

// ClusterToCut is a cluster whose first node can be cut off from the others, while clients reach it as before.
type ClusterToCut struct {
	*Cluster

	links []*link
}

// NewClusterToCut is [NewCluster] whose first node can be cut off from the others.
func NewClusterToCut(t testing.TB) *ClusterToCut {
	t.Helper()
	c := &ClusterToCut{}
	c.Cluster = newCluster(t, func(from, to int, addr string) string {
		if min(from, to) > 0 {
			return addr
		}
		l := newLink(t, addr, 0)
		c.links = append(c.links, l)
		return l.addr
	})
	return c
}

// Cut cuts the first node off.
func (c *ClusterToCut) Cut() {
	for _, l := range c.links {
		l.cut()
	}
}

// Mend ends what Cut began.
func (c *ClusterToCut) Mend() {
	for _, l := range c.links {
		l.mend()
	}
}
