package msgq_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLiveStepsOverWhatWasDeletedExpiredOrForQueues(t *testing.T) {
	s := msgqtest.NewServer(t)
	first := s.Connect(nil)
	b := newRawStream(t, s.URL)
	for i := range 40 { // 2,000 in all, a tenth of them for a queue
		b.must(t, "a", fmt.Sprint(i), 45, 50)
		b.must(t, "", fmt.Sprint(i), 5, 50)
	}
	if _, err := first.Publish(t.Context(), msgq.Message{Topic: "a", ID: "short"}, msgq.WithTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	b.must(t, "a", "last", 100, 50)
	b.delete(t, 1000, 1400) // more than what a chunk is read ahead
	for range 300 {
		seq := 2 + rand.Uint64N(1990)
		b.delete(t, seq, seq)
	}
	msgqtest.Eventually(t, "the short-lived one is gone", func() bool { return !slices.Contains(b.seqs(t), 2001) })
	want := b.seqs(t)
	c := s.Connect(nil) // with an empty ring
	looks := b.count(t, "$JS.API.STREAM.INFO.EVENTS")
	got := readSeqs(t, c, msgq.FromAll(), len(want))
	if !slices.Equal(got, want) {
		t.Error(difference(got, want))
	}
	if n := looks(); n > 6 { // one of FromAll, one behind the long hole, the periodic ones
		t.Errorf("the broker was asked %d times for the stream's state", n)
	}
}

func TestLiveIsToldOfAPurge(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	b.must(t, "a", "x", 1000, 50)
	b.must(t, "a", "x", 1000, 50)
	c := s.Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if _, err := sub.Next(msgqtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	b.purge(t, 1900)
	var got []uint64
	resets := 0
	for len(got) == 0 || got[len(got)-1] != 2000 {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if batch.Reset {
			resets++
			if batch.Position.Seq != 1899 {
				t.Errorf("reset to %d, want 1899", batch.Position.Seq)
			}
		}
		for _, m := range batch.Messages {
			got = append(got, m.Seq)
		}
	}
	if resets != 1 || len(got) > 512+101 {
		t.Errorf("%d resets, %d messages", resets, len(got))
	}
}

func TestLiveForgetsInMemoryWhatTheStreamForgot(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	b := newRawStream(t, s.URL)
	b.must(t, "a", "x", 10, 50)
	b.purge(t, 6)
	msgqtest.Eventually(t, "the ring has let go of it", func() bool {
		sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: 2})})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		return !sub.Recovered() && sub.Position().Seq == 5
	})
}

func TestLiveTellsAFrozenReaderWhereItGoesOn(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes, cfg.MaxBytes = 1<<20, 2<<20 })
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	b := newRawStream(t, s.URL)
	for range 100 {
		b.must(t, "a", "x", 10, 10<<10) // 10 MB through a stream of 2 MB
	}
	stored := b.seqs(t)
	batch, err := sub.Next(msgqtest.Context(t))
	if err != nil || !batch.Reset || batch.Position.Seq != stored[0]-1 {
		t.Fatalf("batch %+v, error %v: want a reset to %d", batch, err, stored[0]-1)
	}
	var got []uint64
	for len(got) < len(stored) {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil || batch.Reset {
			t.Fatalf("batch %+v, error %v", batch, err)
		}
		for _, m := range batch.Messages {
			got = append(got, m.Seq)
		}
	}
	if !slices.Equal(got, stored) {
		t.Error(difference(got, stored))
	}
}

func TestLiveIsToldOfAnotherStreamWhileItCatchesUp(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	for range 10 {
		b.must(t, "a", "old", 500, 50)
	}
	c := s.Connect(nil)
	before := c.Epoch()
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if _, err := sub.Next(msgqtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	deleteStream(t, s.URL, "EVENTS")
	msgqtest.Eventually(t, "the new stream takes messages", func() bool { return b.publish(t, "a", "new", 3, 50) == nil })
	reset := false
	for n := 0; n < 3; {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if batch.Reset && batch.Position.Epoch != before {
			reset, n = true, 0
		}
		for _, m := range batch.Messages {
			if reset && m.ID != "new" {
				t.Fatalf("message %d %s after the reset", m.Seq, m.ID)
			}
			n += map[bool]int{true: 1}[reset]
		}
	}
	again, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: 2, Epoch: before})})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Recovered() || again.Position().Seq != 0 {
		t.Errorf("with the old epoch: recovered %v at %d", again.Recovered(), again.Position().Seq)
	}
}

func TestLiveCatchesUpWithLargeMessagesInBoundedMemory(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil)
	b := newRawStream(t, s.URL)
	const n = 60
	for range n {
		b.must(t, "a", "x", 1, 200<<10)
	}
	b.must(t, "a", "x", 400, 10)
	c := s.Connect(func(cfg *msgq.Config) { cfg.CatchUpBytes = 3 << 20 })
	var wg sync.WaitGroup
	for start := range 20 {
		wg.Go(func() {
			sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.After(msgq.Position{Seq: uint64(start)})})
			if err != nil {
				t.Error(err)
				return
			}
			defer sub.Close()
			for want := uint64(start + 1); want <= n+400; {
				batch, err := sub.Next(msgqtest.Context(t))
				if err != nil {
					t.Error(err)
					return
				}
				for _, m := range batch.Messages {
					if m.Seq != want {
						t.Errorf("seq %d, want %d", m.Seq, want)
						return
					}
					want++
				}
				if bytes := c.CatchUpBytes(); bytes > 3<<20 {
					t.Errorf("%d bytes are held", bytes)
				}
			}
		})
	}
	wg.Wait()
}

func readSeqs(t *testing.T, c *msgq.Client, from msgq.From, n int) (seqs []uint64) {
	t.Helper()
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}, From: from})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for len(seqs) < n {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil || batch.Reset {
			t.Fatalf("after %d messages: reset %v, error %v", len(seqs), batch.Reset, err)
		}
		for _, m := range batch.Messages {
			seqs = append(seqs, m.Seq)
		}
	}
	return seqs
}
