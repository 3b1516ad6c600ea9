package msgq

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sort"

	"github.com/nats-io/nats.go"
)

// erasure is what clients tell each other of a message that was deleted, so that all
// forget what they have of it in memory. Who is not connected is not told: see [tail.start].
type erasure struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
	First uint64 `json:"first"` // where the stream begins since
}

// erased has all clients forget a message, this one before it returns.
func (c *Client) erased(ctx context.Context, seq uint64) {
	state, err := c.state(ctx)
	if err != nil {
		state = c.streams.current()
	}
	e := erasure{Epoch: state.Epoch, Seq: seq, First: state.First}
	c.tail.erase(e)
	text, err := json.Marshal(e)
	if err == nil {
		err = c.nc.Publish(c.names.erasures(), text)
	}
	if err != nil {
		c.cfg.Logger.Warn("other instances were not told of a deleted message, and may have it in memory", "seq", seq, "error", err)
	}
}

// listen takes what others deleted from now on.
func (t *tail) listen() error {
	_, err := t.c.nc.Subscribe(t.c.names.erasures(), func(msg *nats.Msg) {
		var e erasure
		if json.Unmarshal(msg.Data, &e) == nil {
			t.erase(e)
		}
	})
	return brokerError("listen for deletions", err)
}

// erase forgets a message, also one that is still on its way here.
func (t *tail) erase(e erasure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Epoch != t.epoch {
		return
	}
	t.chunks.drop()
	t.ring.erase(e.Seq)
	maps.DeleteFunc(t.coming, func(seq uint64, _ struct{}) bool { return seq <= t.ring.head })
	if t.wanted && e.Seq > t.ring.head {
		t.coming[e.Seq] = struct{}{}
	}
	t.begins(max(t.first, e.First)) // whoever told may have looked earlier
}

// erase takes one entry out. Readers may hold a part of its block, so it gets a new one.
func (r *ring) erase(seq uint64) {
	i := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].last() >= seq })
	if i == len(r.blocks) {
		return
	}
	b := r.blocks[i]
	at := sort.Search(len(b.entries), func(i int) bool { return b.entries[i].Seq >= seq })
	if b.entries[at].Seq != seq {
		return
	}
	size := b.entries[at].size()
	r.bytes -= size
	if len(b.entries) == 1 {
		r.blocks = slices.Delete(slices.Clone(r.blocks), i, i+1)
		return
	}
	r.blocks[i] = &block{entries: slices.Delete(slices.Clone(b.entries), at, at+1), bytes: b.bytes - size}
}
