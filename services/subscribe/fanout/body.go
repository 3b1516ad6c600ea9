package fanout

import (
	"sync/atomic"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// bodies has the newest messages as JSON, so that each is encoded once however
// many groups and subscriptions behind want it. Together they take 32 MiB at most.
type bodies struct {
	slots [4096]atomic.Pointer[body]
}

type body struct {
	of   *msgq.Message
	json []byte
}

const (
	largestKept = 8 << 10
	extraOfJSON = 256 // about what the other fields take
)

// of is the message as JSON, less the opening brace.
func (b *bodies) of(m *msgq.Message) []byte {
	slot := &b.slots[m.Seq%uint64(len(b.slots))]
	if known := slot.Load(); known != nil && known.of == m {
		return known.json
	}
	json := append(wire.AppendMessage(make([]byte, 0, len(m.Data)+extraOfJSON), m), '}')
	if len(json) <= largestKept {
		slot.Store(&body{of: m, json: json})
	}
	return json
}
