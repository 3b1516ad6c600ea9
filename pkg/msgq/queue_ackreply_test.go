package msgq

import (
	"testing"

	"github.com/nats-io/nats.go"
)

func TestAckReplyTellsWhatIsDelivered(t *testing.T) {
	want := ackReply{delivered: 3, stored: 42, at: 1700000000000000001, stream: "EVENTS"}
	for name, test := range map[string]struct {
		subject string
		want    ackReply
		ok      bool
	}{
		"as the server sends it":        {"$JS.ACK.EVENTS.q.3.42.7.1700000000000000001.5", want, true},
		"with a domain and an account":  {"$JS.ACK.hub.acc.EVENTS.q.3.42.7.1700000000000000001.5", want, true},
		"and a token at the end":        {"$JS.ACK.hub.acc.EVENTS.q.3.42.7.1700000000000000001.5.xyz", want, true},
		"of something else":             {"_INBOX.a.b", ackReply{}, false},
		"cut short":                     {"$JS.ACK.EVENTS.q.3.42.7", ackReply{}, false},
		"with a word for a number":      {"$JS.ACK.EVENTS.q.3.many.7.1700000000000000001.5", ackReply{}, false},
		"with a number that is too big": {"$JS.ACK.EVENTS.q.3.42.7.99999999999999999999.5", ackReply{}, false},
	} {
		if got, ok := parseAckReply(test.subject); got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
	}
}

// FuzzAckReply compares with nats.go.
func FuzzAckReply(f *testing.F) {
	f.Add("$JS.ACK.EVENTS.q.3.42.7.1700000000000000001.5")
	f.Add("$JS.ACK.hub.acc.EVENTS.q.3.42.7.1700000000000000001.5.xyz")
	f.Fuzz(func(t *testing.T, subject string) {
		got, ok := parseAckReply(subject)
		if !ok {
			return
		}
		meta, err := (&nats.Msg{Reply: subject, Sub: &nats.Subscription{}}).Metadata()
		if err != nil {
			return // nats.go is stricter about what follows
		}
		if got.stored != meta.Sequence.Stream || got.delivered != int(meta.NumDelivered) || !got.time().Equal(meta.Timestamp) || got.stream != meta.Stream {
			t.Errorf("%q: %+v, nats.go has %+v", subject, got, meta)
		}
	})
}
