package msgq

import (
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// Usage is how much a stream holds.
type Usage struct {
	Stream   string
	Messages uint64
	Bytes    uint64
	MaxBytes uint64 // 0: no limit but the disk
}

// nearlyFull is the share of MaxBytes from which the oldest messages, or new ones, will soon be lost.
const nearlyFull = 0.8

// NearlyFull reports whether at least 80 % of MaxBytes is used.
func (u Usage) NearlyFull() bool {
	return u.MaxBytes > 0 && float64(u.Bytes) >= nearlyFull*float64(u.MaxBytes)
}

// usages are those of the last look at each stream.
type usages struct {
	mu   sync.Mutex
	last []Usage
}

// see notes a look, and reports whether the stream has become nearly full.
func (u *usages) see(info *jetstream.StreamInfo) (now Usage, warn bool) {
	now = Usage{
		Stream: info.Config.Name, Messages: info.State.Msgs, Bytes: info.State.Bytes, MaxBytes: uint64(max(info.Config.MaxBytes, 0)),
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, before := range u.last {
		if before.Stream == now.Stream {
			u.last[i] = now
			return now, now.NearlyFull() && !before.NearlyFull()
		}
	}
	u.last = append(u.last, now)
	return now, now.NearlyFull()
}

// Usage tells how much the streams held at the last look, which is at most 2 s
// old while the broker is there. It is empty until the first.
func (c *Client) Usage() []Usage {
	c.streams.usages.mu.Lock()
	defer c.streams.usages.mu.Unlock()
	return append([]Usage(nil), c.streams.usages.last...)
}
