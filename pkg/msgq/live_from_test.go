package msgq_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLiveFromATime(t *testing.T) {
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	tests := map[string]struct {
		before    func(*testing.T, rawStream) // what the stream went through
		from      time.Time
		seq       uint64
		recovered bool
	}{
		"of an empty stream":                      {nil, past, 0, true},
		"in the future of an empty stream":        {nil, future, 0, true},
		"before everything":                       {store(0), past, 0, true},
		"in the future":                           {store(0), future, 3, true},
		"before a message for a queue":            {store(2), past, 0, true},
		"of messages that were purged":            {then(store(2), purge(4)), past, 3, false},
		"of messages that were all purged":        {then(store(2), purge(6)), past, 5, false},
		"behind messages that were all purged":    {then(store(2), purge(6)), future, 5, true},
		"of messages the last of which is gone":   {then(store(0), remove(3)), past, 0, true},
		"behind messages whose last one is gone":  {then(store(0), remove(3)), future, 3, true},
		"before messages the first of which gone": {then(store(1), remove(1)), past, 1, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := msgqtest.NewServer(t)
			c := s.Connect(nil)
			if test.before != nil {
				test.before(t, newRawStream(t, s.URL))
			}
			sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}, From: msgq.FromTime(test.from)})
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			if got := sub.Position().Seq; got != test.seq || sub.Recovered() != test.recovered {
				t.Errorf("starts behind %d, recovered %v; want %d, %v", got, sub.Recovered(), test.seq, test.recovered)
			}
		})
	}
}

type step = func(*testing.T, rawStream)

// store stores messages for a queue and then three on a topic.
func store(queued int) step {
	return func(t *testing.T, b rawStream) {
		for range queued {
			b.must(t, "", "x", 1, 1)
		}
		b.must(t, "a", "x", 3, 1)
	}
}

func purge(before uint64) step { return func(t *testing.T, b rawStream) { b.purge(t, before) } }
func remove(seq uint64) step   { return func(t *testing.T, b rawStream) { b.delete(t, seq, seq) } }
func then(steps ...step) step {
	return func(t *testing.T, b rawStream) {
		for _, s := range steps {
			s(t, b)
		}
	}
}

func TestLiveFromATimeBetweenMessagesStartsThere(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	first := publish(t, c, msgq.Message{Topic: "a", ID: "0"})
	newRawStream(t, s.URL).must(t, "", "x", 3, 1)
	second := publish(t, c, msgq.Message{Topic: "a", ID: "1"})
	all, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	stored := readUntil(t, all, "1")
	for _, test := range []struct {
		at   time.Time
		want uint64
	}{
		{stored[0].Time, first.Seq}, {stored[0].Time.Add(1), second.Seq}, {stored[1].Time, second.Seq},
	} {
		sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromTime(test.at)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		if got := readUntil(t, sub, "1")[0].Seq; got != test.want {
			t.Errorf("starts with %d, want %d", got, test.want)
		}
	}
}

func TestLiveFromTheFutureSkipsWhatComesBefore(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	at := time.Now().Add(300 * time.Millisecond)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromTime(at)})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for n := 0; time.Now().Before(at.Add(100 * time.Millisecond)); n++ {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(n)})
	}
	publish(t, c, msgq.Message{Topic: "a", ID: "end"})
	if got := readUntil(t, sub, "end"); got[0].Time.Before(at) || len(got) < 2 {
		t.Errorf("%d messages, the first one of %s, want it at %s or later", len(got), got[0].Time, at)
	}
}

func TestLiveFromTheLastOfOverlappingPatterns(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	var topics []string
	for range 700 {
		topics = append(topics, "a.b", "c.d", "a.c") // of both patterns, of none, of the first
	}
	for piece := range slices.Chunk(append(topics, "d.b"), 700) { // the last one is of the second
		b.store(t, piece)
	}
	c := s.Connect(nil)
	for _, test := range []struct {
		topics []string
		last   int
		want   uint64 // the first one
	}{
		{[]string{"a.*", "*.b"}, 1, 2101}, {[]string{"a.*", "*.b"}, 3, 2098}, {[]string{"a.*", "*.b"}, 1401, 1},
		{[]string{"a.*", "*.b"}, 10_000, 1}, {[]string{"*.b"}, 2, 2098}, {[]string{"c.d"}, 2, 2096}, {[]string{"c.d"}, 700, 2},
	} {
		sub, err := c.Live(t.Context(), msgq.Live{Topics: test.topics, From: msgq.FromLast(test.last)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		var first *msgq.Message
		for first, err = range sub.All(msgqtest.Context(t)) {
			break
		}
		if err != nil || first.Seq != test.want {
			t.Errorf("last %d of %v: starts with %+v, error %v, want %d", test.last, test.topics, first, err, test.want)
		}
	}
}

func TestLiveOnAQuietTopicMovesOnWithoutReading(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes = 1 << 20 })
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"quiet"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		var err error
		for err == nil { // the first messages may be there before it waits
			var batch msgq.Batch
			if batch, err = sub.Next(ctx); len(batch.Messages) > 0 {
				t.Errorf("it was given %v", ids(batch.Messages))
			}
		}
		waiting <- err
	}()
	for range 5 {
		newRawStream(t, s.URL).must(t, "loud", "x", 900, 1) // far more than the ring holds
	}
	end, err := c.Live(t.Context(), msgq.Live{Topics: []string{"loud"}, From: msgq.FromLast(1)})
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	if _, err := end.Next(msgqtest.Context(t)); err != nil { // now the tail has them all
		t.Fatal(err)
	}
	cancel()
	msgqtest.Receive(t, waiting, "end of the wait")
	if got := sub.Position().Seq; got != 4500 {
		t.Errorf("position %d, want that of the head, 4500", got)
	}
	reads := c.CatchUpReads()
	publish(t, c, msgq.Message{Topic: "quiet", ID: "1"})
	if got := readUntil(t, sub, "1"); len(got) != 1 || c.CatchUpReads() != reads {
		t.Errorf("%d messages and %d reads of the broker", len(got), c.CatchUpReads()-reads)
	}
}

func TestLiveEndsWithClose(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	sub.Close()
	sub.Close()
	if _, err := sub.Next(t.Context()); err == nil {
		t.Error("a closed one was read")
	}
}

func TestLiveGoesOnBehindTheMessageAtWhichAllWasStopped(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	for range 3 {
		publish(t, c, msgq.Message{Topic: "a"})
	}
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for want := uint64(1); want <= 3; want++ {
		for m, err := range sub.All(msgqtest.Context(t)) {
			if err != nil {
				t.Fatal(err)
			}
			if pos := sub.Position().Seq; m.Seq != want || pos != want {
				t.Errorf("seq %d at position %d, want %d", m.Seq, pos, want)
			}
			break
		}
	}
}
