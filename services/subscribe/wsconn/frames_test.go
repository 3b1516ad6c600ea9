package wsconn

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

func TestRequestIsReadWithAllItsFields(t *testing.T) {
	r, err := parseRequest([]byte(`{"type":"nack","ref":"r","id":"s","tags":["1","2"],"delay":"5s","reason":"busy","more":[{}],
		"queue":"q","credit":0,"topics":["a"],"backoff":["1s"],"ack_wait":"2s","from":"all"}`))
	if err != nil {
		t.Fatal(err)
	}
	if r.Type != "nack" || string(r.Ref) != `"r"` || r.ID != "s" || len(r.Tags) != 2 || *r.Delay != wire.Duration(5*time.Second) ||
		r.Reason != "busy" || *r.Queue != "q" || *r.Credit != 0 || len(r.Topics) != 1 || len(r.Backoff.List) != 1 ||
		time.Duration(*r.AckWait) != 2*time.Second || string(r.From) != `"all"` {
		t.Errorf("got %+v", r)
	}
}

func TestRequestWithAWrongFieldKeepsRefAndID(t *testing.T) {
	for name, fields := range map[string]string{
		"tags that are no list": `"tags":1`, "credit that is text": `"credit":"1"`, "a delay that is none": `"delay":"soon"`,
		"an ack_wait that is a number": `"ack_wait":30`, "a backoff that is none": `"backoff":[]`, "a queue that is a number": `"queue":1`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, line := range []string{`{"ref":7,"id":"s","type":"x",` + fields + `}`, `{` + fields + `,"type":"x","id":"s","ref":7}`} {
				r, err := parseRequest([]byte(line))
				if err == nil || errors.Is(err, errNotJSON) {
					t.Errorf("%s: error %v", line, err)
				}
				if string(r.Ref) != "7" || r.ID != "s" {
					t.Errorf("%s: ref %s and id %q, want them kept", line, r.Ref, r.ID)
				}
			}
		})
	}
}

func TestNamesOfFieldsAreEqualToTheLetter(t *testing.T) {
	r, err := parseRequest([]byte(`{"type":"ping","Type":"subscribe","REF":1,"Id":"s","Tags":7,"queue":"q","QUEUE":"other"}`))
	if err != nil || r.Type != "ping" || r.Ref != nil || r.ID != "" || *r.Queue != "q" {
		t.Errorf("%+v, %v, want what has another name ignored", r, err)
	}
}

func TestWhatIsNotJSONIsToldApart(t *testing.T) {
	for _, line := range []string{"", "hello", `{"type":`, `{} {}`, `{"a":1,}`} {
		if _, err := parseRequest([]byte(line)); !errors.Is(err, errNotJSON) {
			t.Errorf("%q: %v, want errNotJSON", line, err)
		}
	}
	for _, line := range []string{`[]`, `1`, `"ping"`, `{"type":1}`, `{"ref":{}}`} {
		if _, err := parseRequest([]byte(line)); err == nil || errors.Is(err, errNotJSON) {
			t.Errorf("%q: %v, want an error that the client is told", line, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		`{"type":"ping","ref":1}`, `{"type":"subscribe","id":"s","topics":["a.>"],"from":{"last":1}}`,
		`{"type":"ack","id":"s","tags":["1"],"ref":"x"}`, `{"type":"nack","delay":"1s"}`, `{"backoff":["1s"]}`, `{"ref":{}}`, `[]`, `{`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseRequest(line)
		if errors.Is(err, errNotJSON) == json.Valid(line) {
			t.Errorf("%q: error %v", line, err)
		}
		if len(r.Ref) > maxRef {
			t.Errorf("a ref of %d bytes", len(r.Ref))
		}
		answer := wire.Line(failure{Type: "error", Ref: r.Ref, ID: cut(r.ID)}) // panics where a ref is no JSON
		if !json.Valid(answer) || strings.Contains(string(answer), "\n") {
			t.Errorf("%q is answered with %q", line, answer)
		}
	})
}
