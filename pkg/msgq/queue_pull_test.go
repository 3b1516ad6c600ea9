package msgq_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func put(t *testing.T, c *msgq.Client, q msgq.Queue) {
	t.Helper()
	if _, err := c.PutQueue(t.Context(), q); err != nil {
		t.Fatal(err)
	}
}

func pull(t *testing.T, c *msgq.Client, most int) []msgq.Pulled {
	t.Helper()
	pulled, err := c.Pull(t.Context(), "q", most, time.Minute)
	if err != nil || len(pulled) == 0 {
		t.Fatalf("pulled %d, error %v", len(pulled), err)
	}
	return pulled
}

func settle(t *testing.T, c *msgq.Client, tag string, s msgq.Settlement) error {
	t.Helper()
	errs, err := c.Settle(t.Context(), "q", []string{tag}, s)
	if err != nil {
		t.Fatal(err)
	}
	return errs[0]
}

func wantInfo(t *testing.T, c *msgq.Client, what string, ok func(msgq.QueueInfo) bool) {
	t.Helper()
	msgqtest.Eventually(t, what, func() bool {
		info, err := c.QueueInfo(t.Context(), "q")
		return err == nil && ok(info)
	})
}

func TestPulledMessageIsSettledByAnotherClient(t *testing.T) {
	s := msgqtest.NewServer(t)
	c, other := s.Connect(nil), s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, Filter: `id != "no"`, MaxAttempts: 2, Backoff: msgq.Backoff{List: []time.Duration{0}}})
	for _, id := range []string{"ack", "no", "nack", "reject", "later"} {
		publish(t, c, msgq.Message{Topic: "a", ID: id})
	}
	pulled := pull(t, c, 10)
	if len(pulled) != 4 {
		t.Fatalf("pulled %d, want what matches the filter", len(pulled))
	}
	for i, how := range []msgq.Settlement{msgq.Acked(), msgq.Nacked("busy"), msgq.Rejected("no good"), msgq.NackedAfter(time.Hour, "later")} {
		if err := settle(t, other, pulled[i].Tag, how); err != nil {
			t.Errorf("%s: %v", pulled[i].ID, err)
		}
	}
	again := pull(t, c, 10)
	if len(again) != 1 || again[0].ID != "nack" || again[0].Attempt != 2 {
		t.Fatalf("pulled again %+v", again)
	}
	if err := settle(t, other, again[0].Tag, msgq.Nacked("still busy")); err != nil { // the last attempt
		t.Error(err)
	}
	dead := deadLetters(t, c, "q", 2)
	if dead[0].ID != "reject" || dead[0].Reason != "no good" || dead[1].ID != "nack" || dead[1].Attempts != 2 || dead[1].Reason != "still busy" {
		t.Errorf("dead letters %+v", dead)
	}
	wantInfo(t, c, "all counts are right", func(i msgq.QueueInfo) bool {
		return i.Ready == 0 && i.InFlight == 0 && i.WaitingRetry == 1 && i.Dead == 2 && i.Delivered == 6 && i.Acknowledged == 2 && i.Expired == 0
	})
}

func TestPullWaitsAndThenGivesWhatComes(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	if pulled, err := c.Pull(t.Context(), "q", 5, 10*time.Millisecond); err != nil || len(pulled) != 0 {
		t.Errorf("pulled %d from an empty queue, error %v", len(pulled), err)
	}
	got := make(chan []msgq.Pulled, 1)
	go func() {
		pulled, _ := c.Pull(context.Background(), "q", 5, time.Minute)
		got <- pulled
	}()
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	if pulled := msgqtest.Receive(t, got, "what was pulled"); len(pulled) != 1 || pulled[0].ID != "x" {
		t.Errorf("pulled %+v", pulled)
	}
}

func TestPullCutShortGivesBackWhatComes(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour})
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan int, 1)
		go func() {
			pulled, _ := c.Pull(ctx, "q", 5, time.Minute)
			done <- len(pulled)
		}()
		publish(t, c, msgq.Message{Topic: "a"})
		cancel()
		if msgqtest.Receive(t, done, "end of the pull") == 0 {
			if err := settle(t, c, pull(t, c, 1)[0].Tag, msgq.Acked()); err != nil { // long before the ack wait
				t.Fatal(err)
			}
		}
	}
}

func TestMessageThatNoWorkerSettlesIsDead(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1, AckWait: 100 * time.Millisecond})
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	pull(t, c, 1)
	if pulled, err := c.Pull(t.Context(), "q", 1, 2*time.Second); err != nil || len(pulled) != 0 {
		t.Errorf("pulled %+v over its attempts, error %v", pulled, err)
	}
	deadLetters(t, c, "q", 1)
}

func TestTagsOfOthersAreRefused(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	put(t, c, msgq.Queue{Name: "other", Topics: []string{"b"}})
	publish(t, c, msgq.Message{Topic: "b", ID: "secret"})
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	own := pull(t, c, 1)[0].Tag
	others, err := c.Pull(t.Context(), "other", 1, time.Minute)
	if err != nil || len(others) != 1 {
		t.Fatalf("pulled %d, error %v", len(others), err)
	}
	text, _ := base64.RawURLEncoding.DecodeString(own)
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, tag := range map[string]string{
		"of another queue": others[0].Tag, "empty": "", "no tag": "hello", "of a subject": encode("1-0 1 EVENTS.q.>"),
		"with more": encode(string(text) + " x"), "long": encode(string(text) + fmt.Sprintf(".%0600d", 1)),
	} {
		if err := settle(t, c, tag, msgq.Rejected("")); !errors.Is(err, msgq.ErrInvalidTag) {
			t.Errorf("a tag %s: %v", name, err)
		}
	}
	wantInfo(t, c, "it is still out", func(i msgq.QueueInfo) bool { return i.InFlight == 1 && i.Dead == 0 })
}

func FuzzTagsAnswerNothingElse(f *testing.F) {
	f.Add("MS0wIDEgRVZFTlRTLnEuMS4xLjEuMS4x")
	f.Fuzz(msgq.CheckTag)
}

func TestSeekStartsTheQueueOverForItsMembers(t *testing.T) {
	s := msgqtest.NewServer(t)
	c, other := s.Connect(nil), s.Connect(nil)
	got := make(chan string, 100)
	sub := subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(_ context.Context, d *msgq.Delivery) error {
		got <- fmt.Sprint(d.ID, d.Attempt)
		if d.ID == "1" {
			return msgq.RetryAfter(time.Hour, errors.New("later"))
		}
		return nil
	})
	for i := range 3 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	expect := func(what string, want ...string) {
		t.Helper()
		for _, w := range want {
			if g := msgqtest.Receive(t, got, what); g != w {
				t.Errorf("%s: %s, want %s", what, g, w)
			}
		}
	}
	expect("first pass", "01", "11", "21")
	wantInfo(t, c, "all is settled", func(i msgq.QueueInfo) bool { return i.InFlight == 0 && i.WaitingRetry == 1 })
	if err := other.SeekQueue(t.Context(), "q", msgq.FromAll()); err != nil {
		t.Fatal(err)
	}
	expect("second pass", "01", "11", "21")
	wantInfo(t, c, "the old retry is forgotten", func(i msgq.QueueInfo) bool {
		return i.InFlight == 0 && i.WaitingRetry == 1 && i.Delivered == 6 && i.Acknowledged == 4
	})
	if err := other.SeekQueue(t.Context(), "q", msgq.FromNew()); err != nil {
		t.Fatal(err)
	}
	publish(t, c, msgq.Message{Topic: "a", ID: "3"})
	expect("what is new", "31")
	wantInfo(t, c, "and nothing else waits", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 && i.WaitingRetry == 0 })
	if sub.Err() != nil {
		t.Errorf("the subscription ended: %v", sub.Err())
	}
	if err := c.SeekQueue(t.Context(), "none", msgq.FromAll()); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("error %v", err)
	}
}

func TestQueueThatCannotBeSoughtStaysAsItWas(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	js := msgqtest.JetStream(t, s.URL)
	made, err := js.Consumer(t.Context(), "EVENTS", "q")
	if err != nil {
		t.Fatal(err)
	}
	old := made.CachedInfo().Config // as an earlier version made it
	old.DeliverPolicy = jetstream.DeliverNewPolicy
	if err := js.DeleteConsumer(t.Context(), "EVENTS", "q"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", old); err != nil {
		t.Fatal(err)
	}
	publish(t, c, msgq.Message{Topic: "a"})
	if err := settle(t, c, pull(t, c, 1)[0].Tag, msgq.NackedAfter(time.Hour, "later")); err != nil {
		t.Fatal(err)
	}
	if err := c.SeekQueue(t.Context(), "q", msgq.FromAll()); !errors.Is(err, msgq.ErrInvalidQueue) {
		t.Errorf("error %v", err)
	}
	wantInfo(t, c, "its retry still waits", func(i msgq.QueueInfo) bool { return i.WaitingRetry == 1 })
}

func TestTagFromBeforeASeekIsSettled(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	before := pull(t, c, 1)[0]
	if err := c.SeekQueue(t.Context(), "q", msgq.FromAll()); err != nil {
		t.Fatal(err)
	}
	again := pull(t, c, 1)[0]
	if again.ID != "x" || again.Attempt != 1 {
		t.Errorf("pulled %+v", again)
	}
	if _, err := c.Settle(t.Context(), "q", []string{again.Tag}, msgq.Settlement{}); !errors.Is(err, msgq.ErrInvalidQueue) {
		t.Errorf("no settlement: error %v", err)
	}
	if err := settle(t, c, before.Tag, msgq.Acked()); !errors.Is(err, msgq.ErrSettled) {
		t.Errorf("error %v", err)
	}
	wantInfo(t, c, "it is still out", func(i msgq.QueueInfo) bool { return i.InFlight == 1 })
	if err := settle(t, c, again.Tag, msgq.Acked()); err != nil {
		t.Error(err)
	}
}

func TestRetentionBeforeTheEndIsCounted(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	stored := publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	tag := pull(t, c, 1)[0].Tag
	stream, err := msgqtest.JetStream(t, s.URL).Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), stored.Seq); err != nil {
		t.Fatal(err)
	}
	wantInfo(t, c, "it is counted", func(i msgq.QueueInfo) bool { return i.Expired == 1 && i.InFlight == 0 })
	if err := settle(t, c, tag, msgq.Rejected("")); !errors.Is(err, msgq.ErrSettled) {
		t.Errorf("error %v", err)
	}
}

func TestQueuesAreListedInPagesAndCountsEndWithTheirQueue(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, func(context.Context, *msgq.Delivery) error { return nil })
	put(t, c, msgq.Queue{Name: "r", Topics: []string{"a"}})
	put(t, c, msgq.Queue{Name: "p", Topics: []string{"a"}})
	publish(t, c, msgq.Message{Topic: "a"})
	wantInfo(t, c, "the acknowledgement is counted", func(i msgq.QueueInfo) bool { return i.Acknowledged == 1 })
	page, more, err := c.QueuesAfter(t.Context(), "", 2)
	if err != nil || len(page) != 2 || page[0].Name != "p" || page[1].Name != "q" || page[1].Acknowledged != 1 || !more {
		t.Errorf("page %+v, more %t, error %v", page, more, err)
	}
	page, more, err = c.QueuesAfter(t.Context(), "q", 2)
	if err != nil || len(page) != 1 || page[0].Name != "r" || page[0].Ready != 1 || more {
		t.Errorf("page %+v, more %t, error %v", page, more, err)
	}
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	if info, err := c.QueueInfo(t.Context(), "q"); err != nil || info.Acknowledged != 0 || info.Delivered != 0 {
		t.Errorf("info %+v of the new queue, error %v", info, err)
	}
}

func TestPullTellsThatItsQueueWasDeleted(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Pull(t.Context(), "q", 1, msgqtest.Timeout)
		ended <- err
	}()
	waitForPull(t, s)
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	if err := msgqtest.Receive(t, ended, "end of the pull"); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("error %v, want %v", err, msgq.ErrQueueNotFound)
	}
}
