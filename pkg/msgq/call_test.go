package msgq

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestAnswersOfTheBrokerAreRead(t *testing.T) {
	p := newPublisher(&Client{names: newNames("EVENTS")}, "EVENTS")
	for text, want := range map[string]jetstream.PubAck{
		`{"stream":"EVENTS", "seq":17}`:                     {Stream: "EVENTS", Sequence: 17},
		`{"stream":"EVENTS", "seq":17,"duplicate": true}`:   {Stream: "EVENTS", Sequence: 17, Duplicate: true},
		`{"stream":"EVENTS","seq":17}`:                      {Stream: "EVENTS", Sequence: 17},
		`{"stream":"EVENTS","domain":"hub","seq":17}`:       {Stream: "EVENTS", Sequence: 17, Domain: "hub"},
		`{"stream":"EVENTS", "seq":18446744073709551615}`:   {Stream: "EVENTS", Sequence: 1<<64 - 1},
		`{"seq":17,"stream":"EVENTS","val":"1","batch":""}`: {Stream: "EVENTS", Sequence: 17, Value: "1"},
	} {
		if got, err := p.parseAck([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", `{}`, `{"stream":"EVENTS", "seq":}`, `{"stream":"EVENTS", "seq":-1}`, `{"stream":"EVENTS", "seq":0}`,
		`{"stream":"EVENTS","seq":17`, `{"stream":"EVENTS",17}`} {
		if got, err := p.parseAck([]byte(text)); err == nil {
			t.Errorf("%s: %+v, want an error", text, got)
		}
	}
	_, err := p.parseAck([]byte(`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"EVENTS","seq":0}`))
	if refused, ok := errors.AsType[*jetstream.APIError](err); !ok || refused.ErrorCode != 10077 {
		t.Errorf("error %v, want the broker's", err)
	}
}

// Each message of a group that cannot be sent has the group go alone. Its calls belong to their callers by the second one.
func TestCallThatHasEndedIsLeftAlone(t *testing.T) {
	p := newPublisher(&Client{names: newNames("EVENTS")}, "EVENTS")
	p.flying = &group{id: "before"} // so that the next one waits
	c := p.join(&nats.Msg{Header: nats.Header{}}, time.Now())
	g := p.open
	p.end(g, nats.ErrTimeout)
	p.goAlone(g)
	if c.again || !errors.Is(c.err, nats.ErrTimeout) {
		t.Errorf("again %t, error %v: want the call as it ended", c.again, c.err)
	}
}
