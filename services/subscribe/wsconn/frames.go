package wsconn

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// request is what a client sends: one object for all types, unknown fields ignored.
type request struct {
	Type  string          `json:"type"`
	Ref   json.RawMessage `json:"ref"`
	ID    string          `json:"id"`
	Token string          `json:"token"` // of auth
	Queue *string         `json:"queue"` // with it a subscription is of a queue, else live
	wire.QueueSettings
	Overflow string         `json:"overflow"`
	Credit   *int           `json:"credit"`
	Tags     []string       `json:"tags"`
	Delay    *wire.Duration `json:"delay"`
	Reason   string         `json:"reason"`
}

// errNotJSON ends the connection: what comes next cannot be trusted either.
var errNotJSON = errors.New("not JSON")

// maxRef bounds what has to be repeated, in bytes.
const maxRef = 256

// parseRequest reads one object. A field of a wrong type is an error that leaves
// ref and id as far as they could be read.
func parseRequest(line []byte) (request, error) {
	var r request
	err := wire.Unmarshal(line, &r)
	if err != nil {
		if !json.Valid(line) {
			return r, errNotJSON
		}
		var head struct { // on its own: reading stops at the first field that is wrong
			Ref json.RawMessage `json:"ref"`
			ID  json.RawMessage `json:"id"`
		}
		_ = wire.Unmarshal(line, &head)
		r.Ref = head.Ref
		_ = wire.Unmarshal(head.ID, &r.ID)
	}
	if !validRef(r.Ref) {
		r.Ref = nil
		return r, badRequest(fmt.Sprintf("ref: a number or a string of at most %d bytes is expected", maxRef))
	}
	if err != nil {
		return r, badRequest(wire.Explain(err))
	}
	return r, nil
}

func validRef(ref json.RawMessage) bool {
	return len(ref) == 0 || len(ref) <= maxRef && (ref[0] == '"' || ref[0] == '-' || ref[0] >= '0' && ref[0] <= '9')
}

// Answers to a client. Messages are wire.Message.
type (
	welcome struct {
		Type       string `json:"type"`
		Connection string `json:"connection"`
		Epoch      string `json:"epoch"`
		Server     string `json:"server"`
		Limits     limits `json:"limits"`
	}
	limits struct {
		Frame         int `json:"frame"`         // bytes of one inbound frame
		Subscriptions int `json:"subscriptions"` // on one connection
		Topics        int `json:"topics"`        // patterns of one subscription
		Filter        int `json:"filter"`        // bytes
		Credit        int `json:"credit"`
		Tags          int `json:"tags"` // in one ack, nack, reject or progress
		Last          int `json:"last"` // of a from
	}
	subscribed struct {
		Type      string          `json:"type"`
		ID        string          `json:"id"`
		Ref       json.RawMessage `json:"ref,omitempty"`
		Epoch     string          `json:"epoch"`
		Seq       uint64          `json:"seq"`
		Recovered bool            `json:"recovered"`
	}
	skipped struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		From uint64 `json:"from"`
		To   uint64 `json:"to"`
	}
	failure struct {
		Type      string          `json:"type"`
		Ref       json.RawMessage `json:"ref,omitempty"`
		ID        string          `json:"id,omitempty"`
		Code      string          `json:"code"`
		Message   string          `json:"message"`
		Retryable bool            `json:"retryable"`
	}
	unsubscribed struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Code string `json:"code"`
	}
	reply struct { // ok and pong
		Type string          `json:"type"`
		Ref  json.RawMessage `json:"ref,omitempty"`
	}
)
