package msgq

import (
	"encoding/json"
	"time"
)

// pullRequest asks a consumer for messages, as the broker's API has it.
type pullRequest struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires,omitempty"` // how long it waits at the broker, in ns as the next one
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
	NoWait    bool          `json:"no_wait,omitempty"`
	MaxBytes  int64         `json:"max_bytes,omitempty"`
}

// What a member sends, but for the numbers.
var (
	standing = pullRequest{Expires: pullExpiry, Heartbeat: pullHeartbeat}
	spare    = pullRequest{Expires: spareExpiry, Heartbeat: spareHeartbeat}
	noWait   = pullRequest{NoWait: true}
)

// of is the text of a request for n messages. For a single one there is no limit, so that each comes some time.
func (r pullRequest) of(n int, maxBytes int64) []byte {
	r.Batch = n
	if n > 1 {
		r.MaxBytes = maxBytes
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers only
	}
	return text
}

func nextSubject(stream, queue string) string {
	return "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + queue
}
