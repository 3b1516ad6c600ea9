package msgq

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrInvalidTag is returned for a tag that no pull of this queue gave.
var ErrInvalidTag = errors.New("invalid tag")

// maxTag is over what the longest names and numbers give, in bytes.
const maxTag = 512

// tag names a delivery so that any process can settle it: the subject that takes the
// answer, the life of the queue that it belongs to, and when it was delivered.
type tag struct {
	life  string
	at    time.Time
	reply string
}

func (t tag) String() string {
	text := t.life + " " + strconv.FormatInt(t.at.UnixNano(), 10) + " " + strings.TrimPrefix(t.reply, ackPrefix)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

var (
	tagText = regexp.MustCompile(`^(\d+-\d+) (\d{1,19}) (.+)$`)
	// tagReply is what follows ackPrefix: domain and account are optional, then stream, consumer and five numbers.
	tagReply = regexp.MustCompile(`^(?:[\w-]+\.[\w-]+\.)?([\w-]+)\.([\w-]+)(?:\.\d{1,19}){5}(?:\.[\w-]+)?$`)
)

// parseTag takes only what answers a delivery of this queue: a client can have sent anything.
func (n names) parseTag(queue, text string) (tag, ackReply, error) {
	invalid := fmt.Errorf("%w: %.20q is of no delivery of queue %q", ErrInvalidTag, text, queue)
	if len(text) > maxTag {
		return tag{}, ackReply{}, invalid
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return tag{}, ackReply{}, invalid
	}
	parts := tagText.FindSubmatch(raw)
	if parts == nil {
		return tag{}, ackReply{}, invalid
	}
	reply := tagReply.FindSubmatch(parts[3])
	if reply == nil || string(reply[1]) != n.events && string(reply[1]) != n.later || string(reply[2]) != queue {
		return tag{}, ackReply{}, invalid
	}
	t := tag{life: string(parts[1]), reply: ackPrefix + string(parts[3])}
	at, err := strconv.ParseInt(string(parts[2]), 10, 64)
	told, ok := parseAckReply(t.reply)
	if err != nil || !ok || told.delivered < 1 || told.stored < 1 {
		return tag{}, ackReply{}, invalid
	}
	t.at = time.Unix(0, at)
	return t, told, nil
}

// lifeOf names what tags belong to: a queue made anew or sought gives new ones.
func lifeOf(info *jetstream.ConsumerInfo) string {
	return strconv.FormatInt(info.Created.UnixNano(), 10) + "-" + strconv.FormatUint(metaUint(info, metaSeeks), 10)
}
