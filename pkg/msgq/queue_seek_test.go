package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func seek(t *testing.T, c *msgq.Client, from msgq.From) {
	t.Helper()
	if err := c.SeekQueue(t.Context(), "q", from); err != nil {
		t.Fatal(err)
	}
}

// receiveAll takes the messages first to last, each at its first attempt.
func receiveAll(t *testing.T, m *msgq.Member, first, last int) []*msgq.Delivery {
	t.Helper()
	var got []*msgq.Delivery
	for i := first; i <= last; i++ {
		d := msgqtest.Receive(t, m.Deliveries(), "delivery")
		if d.ID != fmt.Sprint(i) || d.Attempt != 1 {
			t.Fatalf("got %s, attempt %d, want %d, 1", d.ID, d.Attempt, i)
		}
		got = append(got, d)
	}
	return got
}

func TestSeekStartsMembersWithoutFreeCreditOver(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour}, 2)
	for i := range 3 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	old := receiveAll(t, m, 0, 1)
	seek(t, s.Connect(nil), msgq.FromAll())
	again := receiveAll(t, m, 0, 1)
	for _, d := range old {
		if err := d.AckSync(t.Context()); !errors.Is(err, msgq.ErrSettled) {
			t.Errorf("a delivery of before the seek: error %v, want %v", err, msgq.ErrSettled)
		}
	}
	for _, d := range again {
		if err := d.AckSync(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := receiveAll(t, m, 2, 2)[0].AckSync(t.Context()); err != nil {
		t.Error(err)
	}
	wantInfo(t, c, "all is done", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 })
}

// TestSeekLeavesMembersWhatCameAfterIt: with credit left they have it before they know of the seek.
func TestSeekLeavesMembersWhatCameAfterIt(t *testing.T) {
	s := msgqtest.NewServer(t)
	c, other := s.Connect(nil), s.Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour}, 100)
	const n = 5
	for i := range n {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	before := receiveAll(t, m, 0, n-1)
	for range 10 {
		seek(t, other, msgq.FromLast(n-1))
		after := receiveAll(t, m, 1, n-1)
		msgqtest.Eventually(t, "the member knows of the seek", before[0].Settled)
		for _, d := range after {
			if err := d.AckSync(t.Context()); err != nil {
				t.Fatalf("a delivery of after the seek: %v", err)
			}
		}
		seek(t, other, msgq.FromAll())
		before = receiveAll(t, m, 0, n-1)
	}
}

func TestSeekHasHandlersStartOver(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	attempts, goOn := make(chan int, 10), make(chan struct{})
	subscribe(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour}, func(_ context.Context, d *msgq.Delivery) error {
		attempts <- d.Attempt
		<-goOn
		return nil
	}, msgq.WithPrefetch(0))
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	msgqtest.Receive(t, attempts, "attempt")
	seek(t, s.Connect(nil), msgq.FromAll())
	wantInfo(t, c, "it was delivered anew", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 1 && i.Delivered == 2 })
	close(goOn)
	if attempt := msgqtest.Receive(t, attempts, "attempt after the seek"); attempt != 1 {
		t.Errorf("attempt %d, want 1", attempt)
	}
	wantInfo(t, c, "it is done", func(i msgq.QueueInfo) bool { return i.InFlight == 0 && i.Acknowledged == 1 })
}

func TestPullThatWaitsWhileTheQueueIsSoughtGivesTagsOfAfterIt(t *testing.T) {
	s := msgqtest.NewServer(t)
	c, other := s.Connect(nil), s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	publish(t, c, msgq.Message{Topic: "a", ID: "x"})
	if err := settle(t, c, pull(t, c, 1)[0].Tag, msgq.Acked()); err != nil {
		t.Fatal(err)
	}
	pulled := make(chan []msgq.Pulled, 1)
	go func() {
		got, err := c.Pull(t.Context(), "q", 1, msgq.MaxPullWait)
		if err != nil {
			t.Error(err)
		}
		pulled <- got
	}()
	wantInfo(t, c, "the pull waits", func(i msgq.QueueInfo) bool { return i.Members == 1 })
	waiting(t, s, 1)
	seek(t, other, msgq.FromAll())
	got := msgqtest.Receive(t, pulled, "end of the pull")
	if len(got) != 1 || got[0].Attempt != 1 {
		t.Fatalf("pulled %+v", got)
	}
	if err := settle(t, other, got[0].Tag, msgq.Acked()); err != nil {
		t.Error(err)
	}
}

// waiting waits until the broker has so many requests for messages of q.
func waiting(t *testing.T, s *msgqtest.Server, n int) {
	t.Helper()
	js := msgqtest.JetStream(t, s.URL)
	msgqtest.Eventually(t, fmt.Sprintf("%d requests wait", n), func() bool {
		consumer, err := js.Consumer(t.Context(), "EVENTS", "q")
		return err == nil && consumer.CachedInfo().NumWaiting == n
	})
}

func TestSeekSucceedsOnASlowCluster(t *testing.T) {
	c := msgqtest.NewLaggingCluster(t, 25*time.Millisecond).Connect(nil)
	if _, err := c.PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	publish(t, c, msgq.Message{Topic: "a"})
	seek(t, c, msgq.FromNew())
}

func TestSeeksAtOnceWaitForEachOther(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour}, 10)
	publish(t, c, msgq.Message{Topic: "a", ID: "0"})
	receiveAll(t, m, 0, 0)
	const seeks = 4
	failed := make(chan error, seeks)
	for range seeks {
		go func() { failed <- c.SeekQueue(t.Context(), "q", msgq.FromAll()) }()
	}
	for range seeks {
		if err := msgqtest.Receive(t, failed, "the end of a seek"); err != nil {
			t.Error(err)
		}
	}
	receiveAll(t, m, 0, 0)
}
