package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLiveReadersSeeEachMessageOnceWhileOthersPublish(t *testing.T) {
	readWhilePublishing(t, 20_000, nil)
}

func TestLiveReadersSeeEachMessageOnceOverRestarts(t *testing.T) {
	readWhilePublishing(t, 6000, func(s *msgqtest.Server) {
		s.Stop()
		s.Start()
	})
}

// readWhilePublishing has 60 readers start from everywhere while messages are
// published, and compares what each saw with what the stream holds in the end.
// restart, if there is one, is called at a quarter, half and three quarters.
func readWhilePublishing(t *testing.T, messages int, restart func(*msgqtest.Server)) {
	const readers = 60
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes, cfg.CatchUpBytes = 1<<20, 2<<20 }) // a ring of about 1,300
	b := newRawStream(t, s.URL)
	published := 0
	publish := func(n int) {
		for end := published + n; published < end; {
			if b.publish(t, "a."+fmt.Sprint(published%3), fmt.Sprint(published), 100, 200) == nil {
				published += 100
			}
		}
	}
	publish(messages / 4)

	head := uint64(published) // before the readers start: it goes on beside them
	var wg sync.WaitGroup
	seen := make([]seenBy, readers)
	for i := range readers {
		wg.Go(func() { seen[i] = readToEnd(t, c, randomFrom(i, head)) })
	}
	for quarter := 1; quarter < 4; quarter++ {
		if restart != nil {
			restart(s)
		}
		publish(messages / 4)
	}
	for b.publish(t, "end", "end", 1, 0) != nil {
		continue
	}
	wg.Wait()
	stored := b.seqs(t)
	for i, got := range seen {
		want := stored[len(stored)-countBehind(stored, got.start):]
		if !slices.Equal(got.seqs, want) {
			t.Errorf("reader %d from %d: %s", i, got.start, difference(got.seqs, want))
		}
	}
}

type seenBy struct {
	start uint64
	seqs  []uint64
}

func randomFrom(i int, head uint64) msgq.From {
	switch i % 4 {
	case 0:
		return msgq.FromAll()
	case 1:
		return msgq.FromLast(1 + rand.IntN(3000))
	case 2:
		return msgq.FromNew()
	default:
		return msgq.After(msgq.Position{Seq: rand.Uint64N(head)})
	}
}

// readToEnd reads up to the message with the id end.
func readToEnd(t *testing.T, c *msgq.Client, from msgq.From) (seen seenBy) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var sub *msgq.LiveSubscription
	for {
		var err error
		if sub, err = c.Live(ctx, msgq.Live{Topics: []string{"a.*", "end"}, From: from}); err == nil {
			break
		}
		if !errors.Is(err, msgq.ErrUnavailable) || ctx.Err() != nil {
			t.Error(err)
			return seen
		}
	}
	defer sub.Close()
	seen.start = sub.Position().Seq
	for {
		batch, err := sub.Next(ctx)
		if err != nil || batch.Reset {
			t.Errorf("after %d messages from %d: reset %v, error %v", len(seen.seqs), seen.start, batch.Reset, err)
			return seen
		}
		for _, m := range batch.Messages {
			seen.seqs = append(seen.seqs, m.Seq)
			if m.ID == "end" {
				return seen
			}
		}
	}
}

func countBehind(seqs []uint64, start uint64) int {
	i, _ := slices.BinarySearch(seqs, start+1)
	return len(seqs) - i
}

func difference(got, want []uint64) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d messages, want %d; message %d has seq %d, want %d", len(got), len(want), i, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d messages, want %d, equal up to there", len(got), len(want))
}
