package msgq

import (
	"strconv"
	"strings"
	"time"
)

// ackReply is what the subject that takes the answer to a delivery tells about it.
type ackReply struct {
	delivered int    // how often, from 1
	stored    uint64 // sequence in the stream
	at        int64  // when it was stored, in ns since 1970
	stream    string
}

const ackPrefix = "$JS.ACK."

// parseAckReply reads the subject without garbage: nats.go makes 300 bytes of it. It is
// $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<token>…].
func parseAckReply(subject string) (r ackReply, ok bool) {
	rest, ok := strings.CutPrefix(subject, ackPrefix)
	if !ok {
		return r, false
	}
	names := 2
	if n := strings.Count(rest, "."); n > 6 {
		names = 4
	} else if n < 6 {
		return r, false
	}
	var stream string
	for i := range names {
		var name string
		if name, rest, _ = strings.Cut(rest, "."); i == names-2 {
			stream = name
		}
	}
	var fields [4]uint64 // delivered, stream seq, consumer seq, time
	for i := range fields {
		var field string
		var err error
		field, rest, _ = strings.Cut(rest, ".")
		if fields[i], err = strconv.ParseUint(field, 10, 63); err != nil {
			return ackReply{}, false
		}
	}
	return ackReply{delivered: int(fields[0]), stored: fields[1], at: int64(fields[3]), stream: stream}, true
}

// address is where a message of a queue is stored: two streams have some.
type address struct {
	stream string
	seq    uint64
}

func (r ackReply) address() address { return address{r.stream, r.stored} }

func (r ackReply) time() time.Time { return time.Unix(0, r.at) }
