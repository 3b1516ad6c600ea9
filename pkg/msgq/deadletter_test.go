package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// bury makes n dead letters of queue q, ids 0 to n-1, in order.
func bury(t *testing.T, c *msgq.Client, n int) []msgq.DeadLetter {
	t.Helper()
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	for i := range n {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i), DataContentType: "application/json", Data: fmt.Appendf(nil, `{"n":%d}`, i)})
		if err := msgqtest.Receive(t, m.Deliveries(), "delivery").Reject(t.Context(), "no"); err != nil {
			t.Fatal(err)
		}
	}
	m.Leave()
	return deadLetters(t, c, "q", n)
}

func deadIDs(t *testing.T, c *msgq.Client, opts ...msgq.DeadLettersOption) string {
	t.Helper()
	var all []string
	for d, err := range c.DeadLetters(t.Context(), "q", opts...) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d.ID)
	}
	return fmt.Sprint(all)
}

func TestDeadLettersAreFilteredAndPaged(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	dead := bury(t, c, 6)
	for want, opts := range map[string][]msgq.DeadLettersOption{
		"[0 1 2 3 4 5]": nil,
		"[0 1]":         {msgq.DeadLimit(2)},
		"[2 3]":         {msgq.DeadLimit(2), msgq.DeadAfter(dead[1].DeadSeq)},
		"[4 5]":         {msgq.DeadMatching("data.n > 3")},
		"[3]":           {msgq.DeadMatching("data.n > 0"), msgq.DeadAfter(dead[2].DeadSeq), msgq.DeadLimit(1)},
		"[]":            {msgq.DeadAfter(dead[5].DeadSeq)},
	} {
		if got := deadIDs(t, c, opts...); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, err := range c.DeadLetters(t.Context(), "q", msgq.DeadMatching("data.n >")) {
		if !errors.Is(err, msgq.ErrInvalidFilter) {
			t.Errorf("error %v", err)
		}
	}
	for _, err := range c.DeadLetters(t.Context(), "q", msgq.DeadLimit(-1)) {
		if !errors.Is(err, msgq.ErrInvalidQueue) {
			t.Errorf("error %v", err)
		}
	}
}

func TestDiscardRemovesWhatIsSelected(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	dead := bury(t, c, 6)
	other := join(t, c, msgq.Queue{Name: "other", Topics: []string{"b"}}, 1)
	publish(t, c, msgq.Message{Topic: "b"})
	if err := msgqtest.Receive(t, other.Deliveries(), "delivery").Reject(t.Context(), "no"); err != nil {
		t.Fatal(err)
	}
	others := deadLetters(t, c, "other", 1)[0].DeadSeq
	for _, test := range []struct {
		sel  msgq.Selection
		n    int
		left string
	}{
		{msgq.SelectSeqs(dead[1].DeadSeq, dead[4].DeadSeq, dead[1].DeadSeq, 999_999, others), 2, "[0 2 3 5]"},
		{msgq.SelectMatching("data.n < 3"), 2, "[3 5]"},
		{msgq.SelectMatching("data.n < 3"), 0, "[3 5]"},
		{msgq.SelectAll(), 2, "[]"},
		{msgq.SelectAll(), 0, "[]"},
	} {
		if n, err := c.Discard(t.Context(), "q", test.sel); n != test.n || err != nil || deadIDs(t, c) != test.left {
			t.Errorf("%+v: %d discarded, %s left, error %v", test.sel, n, deadIDs(t, c), err)
		}
	}
	if info, err := c.QueueInfo(t.Context(), "other"); err != nil || info.Dead != 1 {
		t.Errorf("another queue has %d dead letters, error %v", info.Dead, err)
	}
	for name, test := range map[string]struct {
		queue string
		sel   msgq.Selection
		want  error
	}{
		"nothing selected": {"q", msgq.Selection{}, msgq.ErrInvalidSelection},
		"no sequences":     {"q", msgq.SelectSeqs(), msgq.ErrInvalidSelection},
		"no messages":      {"q", msgq.SelectMessages(), msgq.ErrInvalidSelection},
		"no filter":        {"q", msgq.SelectMatching(""), msgq.ErrInvalidSelection},
		"bad filter":       {"q", msgq.SelectMatching("1"), msgq.ErrInvalidFilter},
		"no such queue":    {"none", msgq.SelectAll(), msgq.ErrQueueNotFound},
		"bad name":         {"q.*", msgq.SelectAll(), msgq.ErrInvalidQueue},
	} {
		if _, err := c.Discard(t.Context(), test.queue, test.sel); !errors.Is(err, test.want) {
			t.Errorf("%s: discard: %v", name, err)
		}
		if _, err := c.Redrive(t.Context(), test.queue, test.sel); !errors.Is(err, test.want) {
			t.Errorf("%s: redrive: %v", name, err)
		}
	}
}

func TestRedriveUnderLoadReachesOnlyItsQueue(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	const n = 300
	var mend atomic.Bool
	var second atomic.Int64
	mended := make(chan string, 2*n)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(_ context.Context, d *msgq.Delivery) error {
		if !mend.Load() {
			return msgq.Permanent(errors.New("no"))
		}
		if d.Attempt != 1 {
			t.Errorf("attempt %d after a redrive", d.Attempt)
		}
		mended <- d.ID
		return nil
	}, msgq.WithConcurrency(16))
	subscribe(t, c, msgq.Queue{Name: "second", Topics: []string{"a"}}, func(context.Context, *msgq.Delivery) error {
		second.Add(1)
		return nil
	}, msgq.WithConcurrency(16))
	live, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}})
	if err != nil {
		t.Fatal(err)
	}
	js := msgqtest.JetStream(t, s.URL)
	fillStream(t, js, "events.t.a", n)
	deadLetters(t, c, "q", n)
	mend.Store(true)
	var load sync.WaitGroup
	load.Go(func() { fillStream(t, js, "events.t.a", n) })
	redriven, err := c.Redrive(t.Context(), "q", msgq.SelectAll())
	if redriven != n || err != nil {
		t.Errorf("%d redriven, error %v", redriven, err)
	}
	load.Wait()
	for range 2 * n { // those redriven, and those published meanwhile
		msgqtest.Receive(t, mended, "message")
	}
	msgqtest.Eventually(t, "the other queue has all", func() bool {
		info, err := c.QueueInfo(t.Context(), "second")
		return err == nil && info.Ready == 0 && info.InFlight == 0
	})
	if second.Load() != 2*n || len(mended) != 0 {
		t.Errorf("the other queue got %d messages, want %d; %d more came to this one", second.Load(), 2*n, len(mended))
	}
	publish(t, c, msgq.Message{Topic: "end"})
	seen := 0
	for m, err := range live.All(msgqtest.Context(t)) {
		if err != nil || m.Topic == "end" {
			break
		}
		seen++
	}
	if seen != 2*n {
		t.Errorf("a live subscription saw %d messages, want %d", seen, 2*n)
	}
	if dead := deadIDs(t, c); dead != "[]" {
		t.Errorf("dead letters %s are left", dead)
	}
}

func TestRedriveTellsHowFarItIs(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	dead := bury(t, c, 4)
	for _, test := range []struct {
		sel  msgq.Selection
		want int
	}{
		{msgq.SelectSeqs(dead[0].DeadSeq), 1},
		{msgq.SelectMatching("data.n == 1"), 1},
		{msgq.SelectAll(), 2},
	} {
		last, times := 0, 0
		done, err := c.Redrive(t.Context(), "q", test.sel.OnProgress(func(n int) { last = n; times++ }))
		if err != nil || done != test.want || last != test.want || times == 0 {
			t.Errorf("redriven %d, want %d, error %v; told %d times, at last of %d", done, test.want, err, times, last)
		}
	}
}

func TestRedriveCutShortCanBeRepeated(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	dead := bury(t, c, 3)
	for _, d := range dead[:2] { // in the queue, and not removed
		if err := c.PublishRedriven(t.Context(), "q", d.DeadSeq); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.Redrive(t.Context(), "q", msgq.SelectAll()); n != 1 || err != nil {
		t.Errorf("%d redriven, error %v, want the one that the queue did not have", n, err)
	}
	if info, err := c.QueueInfo(t.Context(), "q"); err != nil || info.Ready != 3 || info.Dead != 0 {
		t.Errorf("info %+v, error %v", info, err)
	}
}

func TestRedriveCountsWhatTheQueueGotWhoeverRemovesIt(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	dead := bury(t, c, 6)
	ready := 0
	for _, sel := range []msgq.Selection{
		msgq.SelectSeqs(dead[0].DeadSeq, dead[1].DeadSeq),
		msgq.SelectMatching("data.n == 2 || data.n == 3"),
		msgq.SelectAll(),
	} {
		n, err := c.RedriveMeanwhile(t.Context(), "q", sel, func() {
			if _, err := c.Discard(t.Context(), "q", sel); err != nil {
				t.Error(err)
			}
		})
		ready += 2
		if info, infoErr := c.QueueInfo(t.Context(), "q"); n != 2 || err != nil || infoErr != nil || info.Ready != uint64(ready) {
			t.Errorf("%+v: %d redriven, error %v, and the queue has %d more; want 2, and %d", sel, n, err, info.Ready, ready)
		}
	}
}

func TestRedrivesAtOnceCountEachMessageOnce(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	bury(t, c, 4)
	second := 0
	first, err := c.RedriveMeanwhile(t.Context(), "q", msgq.SelectAll(), sync.OnceFunc(func() {
		var err error
		if second, err = c.Redrive(t.Context(), "q", msgq.SelectAll()); err != nil {
			t.Error(err)
		}
	}))
	if info, infoErr := c.QueueInfo(t.Context(), "q"); first+second != 4 || err != nil || infoErr != nil || info.Ready != 4 {
		t.Errorf("%d and %d redriven, error %v, and the queue has %d; want 4", first, second, err, info.Ready)
	}
}
