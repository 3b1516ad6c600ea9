package msgq

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// streamMsg is what the follower is given.
type streamMsg struct {
	jetstream.Msg
	seq uint64
}

func (m streamMsg) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: m.seq}}, nil
}
func (streamMsg) Subject() string      { return "events.t.a" }
func (streamMsg) Headers() nats.Header { return nil }
func (streamMsg) Data() []byte         { return nil }

func TestAMessageDeletedOnItsWayIsNotGivenToReaders(t *testing.T) {
	c := &Client{names: newNames("EVENTS")}
	tail := newTail(c)
	tail.epoch, tail.wanted, tail.ring.max = "now", true, 1<<20
	add := func(seqs ...uint64) {
		for _, seq := range seqs {
			tail.add(0, streamMsg{seq: seq})
		}
	}
	add(1, 2)
	for _, e := range []erasure{
		{Epoch: "now", Seq: 4, First: 1}, {Epoch: "before", Seq: 5, First: 5}, {Epoch: "now", Seq: 9, First: 1},
	} {
		tail.erase(e)
	}
	add(3, 4, 5, 6)
	if got := behind(&tail.ring, 0); got != "[1 2 3 5 6]" || !tail.ring.holds(0) {
		t.Errorf("it holds %s, with all behind the start: %v", got, tail.ring.holds(0))
	}
	add(10) // 9 does not come: it was deleted in time
	tail.erase(erasure{Epoch: "now", Seq: 10, First: 1})
	if got := behind(&tail.ring, 9); got != "[]" || len(tail.coming) > 0 {
		t.Errorf("it holds %s and still waits for %v", got, tail.coming)
	}
}

func TestRingErasesAMessage(t *testing.T) {
	for _, size := range []int64{10_000, 1 << 20} { // blocks of one message and of many
		for seq, want := range map[uint64]string{12: "[13 20]", 13: "[12 20]", 20: "[12 13]", 11: "[12 13 20]", 15: "[12 13 20]", 30: "[12 13 20]"} {
			r := ring{max: size}
			r.reset(10)
			fill(&r, 12, 13, 20)
			given, _ := r.after(10)
			first := given[0].Seq
			r.erase(seq)
			bytes := int64(0)
			for _, b := range r.blocks {
				bytes += b.bytes
			}
			if got := behind(&r, 10); got != want || bytes != r.bytes || r.head != 20 || !r.holds(10) || given[0].Seq != first {
				t.Errorf("without %d: %s, %d and %d bytes, head %d", seq, got, bytes, r.bytes, r.head)
			}
		}
	}
}
