package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestPullWaitsForCopiesToo(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	got := make(chan msgq.Pulled, 1)
	var pulling sync.WaitGroup
	pulling.Go(func() {
		pulled, err := s.Connect(nil).Pull(t.Context(), "q", 5, 20*time.Second)
		if err != nil || len(pulled) != 1 {
			t.Errorf("pulled %d, error %v", len(pulled), err)
			return
		}
		got <- pulled[0]
	})
	waitForPull(t, s)
	redrive(t, c, 1)
	p := msgqtest.Receive(t, got, "pulled")
	pulling.Wait()
	if p.ID != "0" || p.Attempt != 1 {
		t.Errorf("pulled %s, attempt %d", p.ID, p.Attempt)
	}
	errs, err := c.Settle(t.Context(), "q", []string{p.Tag}, msgq.NackedAfter(0, "again"))
	if err != nil || errs[0] != nil {
		t.Fatalf("errors %v, %v", err, errs)
	}
	pulled, err := c.Pull(t.Context(), "q", 5, 20*time.Second)
	if err != nil || len(pulled) != 1 || pulled[0].Attempt != 2 {
		t.Fatalf("pulled %+v, error %v", pulled, err)
	}
	seek(t, c, msgq.FromNew())
	if errs, err = c.Settle(t.Context(), "q", []string{pulled[0].Tag}, msgq.Acked()); err != nil || !errors.Is(errs[0], msgq.ErrSettled) {
		t.Errorf("errors %v, %v", err, errs)
	}
	wantInfo(t, c, "the copy is gone", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 })
}

// TestQueueOfTheLayoutBefore had its copies among the events.
func TestQueueOfTheLayoutBefore(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, Backoff: msgq.Backoff{List: []time.Duration{0}}})
	events := stream(t, s.URL, "EVENTS")
	consumer, err := events.Consumer(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	cfg := consumer.CachedInfo().Config
	cfg.FilterSubject, cfg.FilterSubjects = "", []string{"events.t.a", "events.q.q.>"}
	if _, err := events.UpdateConsumer(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	loseCopiesConsumer(t, s)
	old := nats.NewMsg("events.q.q.a")
	old.Header = nats.Header{
		"Msgq-Id": {"old"}, "Msgq-Retry-Seq": {"7"}, "Msgq-Retry-Time": {"2026-01-02T03:04:05Z"}, "Msgq-Retry-Attempts": {"1"}, "Msgq-Retry-Round": {"0"},
	}
	if _, err := msgqtest.JetStream(t, s.URL).PublishMsg(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	d := msgqtest.Receive(t, m.Deliveries(), "delivery")
	if d.ID != "old" || d.Seq != 7 || d.Attempt != 2 || d.Topic != "a" {
		t.Errorf("delivery %+v, attempt %d", d.Message, d.Attempt)
	}
	if err := d.NackAfter(t.Context(), time.Minute, "later"); err != nil { // as a copy of today
		t.Fatal(err)
	}
	wantInfo(t, c, "it waits", func(i msgq.QueueInfo) bool { return i.WaitingRetry == 1 && i.Ready == 0 && i.InFlight == 0 })
}

// TestFailedCopiesComeAgainInTime: the broker does not count what it has to deliver again.
func TestFailedCopiesComeAgainInTime(t *testing.T) {
	for _, credit := range []int{1, 100} {
		t.Run(fmt.Sprint("credit ", credit), func(t *testing.T) {
			t.Parallel()
			const n = 40
			c := msgqtest.NewServer(t).Connect(nil)
			bury(t, c, n)
			m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, credit)
			redrive(t, c, n)
			for range n {
				if err := msgqtest.Receive(t, m.Deliveries(), "delivery").NackAfter(t.Context(), 200*time.Millisecond, "again"); err != nil {
					t.Fatal(err)
				}
			}
			for range n { // one a turn would take longer than Receive waits
				d := msgqtest.Receive(t, m.Deliveries(), "delivery")
				if d.Attempt != 2 {
					t.Errorf("attempt %d", d.Attempt)
				}
				if err := d.AckSync(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			wantInfo(t, c, "all is done", func(i msgq.QueueInfo) bool { return i.Ready == 0 && i.InFlight == 0 })
		})
	}
}

func TestSweepLeavesWhatIsToComeAgain(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	bury(t, c, 3)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Hour})
	redrive(t, c, 3)
	pulled := pull(t, c, 3)
	settle := func(s msgq.Settlement, pulled ...msgq.Pulled) {
		t.Helper()
		for _, p := range pulled {
			if errs, err := c.Settle(t.Context(), "q", []string{p.Tag}, s); err != nil || errs[0] != nil {
				t.Fatal(err, errs)
			}
		}
	}
	settle(msgq.Acked(), pulled[0])
	settle(msgq.NackedAfter(0, "again"), pulled[1], pulled[2])
	if err := c.NewSweeper().Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := pull(t, c, 2)
	if again[0].Attempt != 2 || again[1].Attempt != 2 {
		t.Errorf("attempts %d, %d", again[0].Attempt, again[1].Attempt)
	}
}

// TestCopiesComeThroughATrickle: a member that is neither idle nor has much of its credit free.
func TestCopiesComeThroughATrickle(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	dead := bury(t, c, 3)
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1000)
	ctx, stop := context.WithCancel(t.Context())
	var trickle sync.WaitGroup
	defer trickle.Wait()
	defer stop()
	trickle.Go(func() {
		every := time.NewTicker(50 * time.Millisecond)
		defer every.Stop()
		for ctx.Err() == nil {
			<-every.C
			if _, err := c.Publish(ctx, msgq.Message{Topic: "a"}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for _, d := range dead {
		if n, err := c.Redrive(t.Context(), "q", msgq.SelectSeqs(d.DeadSeq)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		for messages := 0; ; messages++ {
			got := msgqtest.Receive(t, m.Deliveries(), "delivery")
			if err := got.Ack(); err != nil {
				t.Fatal(err)
			}
			if isBuried(got) {
				break
			}
			if messages > 100 {
				t.Fatalf("copy %s did not come beside %d messages", d.ID, messages)
			}
		}
	}
}

// TestNoLastAttemptIsLostBetweenMessagesAndCopies has them come at once to a member that has one place.
func TestNoLastAttemptIsLostBetweenMessagesAndCopies(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	const n = 20
	dead := bury(t, c, n)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1, AckWait: time.Second})
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	for i, d := range dead {
		msgqtest.Eventually(t, "a copy is waited for", func() bool { return copiesInfo(t, s).NumWaiting == 1 })
		var sending sync.WaitGroup
		sending.Go(func() {
			if got, err := c.Redrive(t.Context(), "q", msgq.SelectSeqs(d.DeadSeq)); got != 1 || err != nil {
				t.Errorf("%d redriven, error %v", got, err)
			}
		})
		sending.Go(func() { publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprintf("new-%d", i)}) })
		for range 2 {
			if err := msgqtest.Receive(t, m.Deliveries(), "delivery").AckSync(t.Context()); err != nil {
				t.Error(err)
			}
		}
		sending.Wait()
	}
	if dead := deadIDs(t, c); dead != "[]" {
		t.Errorf("dead letters %s, of which no member has seen one", dead)
	}
}

func TestTagOfALostStreamSettlesNoOther(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	dead := bury(t, c, 2)
	redriveOne := func(i int) {
		t.Helper()
		if n, err := c.Redrive(t.Context(), "q", msgq.SelectSeqs(dead[i].DeadSeq)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	redriveOne(0)
	old := pull(t, c, 1)[0]
	js := msgqtest.JetStream(t, s.URL)
	if err := js.DeleteStream(t.Context(), "EVENTS_LATER"); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "the stream is made again", func() bool {
		_, err := js.Stream(t.Context(), "EVENTS_LATER")
		return err == nil
	})
	redriveOne(1)
	msgqtest.Eventually(t, "the other is pulled", func() bool {
		pulled, err := c.Pull(t.Context(), "q", 1, 0)
		return err == nil && len(pulled) == 1
	})
	if errs, err := c.Settle(t.Context(), "q", []string{old.Tag}, msgq.Acked()); err != nil || errs[0] == nil {
		t.Errorf("settled: %v, %v", err, errs)
	}
	wantInfo(t, c, "the other is out still", func(i msgq.QueueInfo) bool { return i.InFlight == 1 })
}

func TestSweepMendsTheAckWaitOfCopies(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	redrive(t, c, 1)
	cfg := copiesInfo(t, s).Config
	cfg.AckWait = time.Second // as by a change that was cut short
	if _, err := msgqtest.JetStream(t, s.URL).UpdateConsumer(t.Context(), "EVENTS_LATER", cfg); err != nil {
		t.Fatal(err)
	}
	if err := c.NewSweeper().Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if wait := copiesInfo(t, s).Config.AckWait; wait != 30*time.Second {
		t.Errorf("ack wait %s", wait)
	}
}

// TestNewQueueHasNothingOfADeletedOne though a redrive went on while that was deleted.
func TestNewQueueHasNothingOfADeletedOne(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	dead := bury(t, c, 2)
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	copied := nats.NewMsg("events.l.q.q.a")
	copied.Header.Set("Msgq-Retry-Seq", fmt.Sprint(dead[0].Seq))
	if _, err := msgqtest.JetStream(t, s.URL).PublishMsg(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"other"}})
	wantInfo(t, c, "nothing is there", func(i msgq.QueueInfo) bool { return i.Ready == 0 })
}

// handleForLong subscribes with a handler that takes as long as the test, and waits until a copy is waited for.
func handleForLong(t *testing.T, s *msgqtest.Server, c *msgq.Client, q msgq.Queue) (started <-chan struct{}) {
	t.Helper()
	put(t, c, q)
	begun, done := make(chan struct{}), make(chan struct{})
	subscribe(t, c, q, func(context.Context, *msgq.Delivery) error {
		close(begun)
		<-done
		return nil
	})
	t.Cleanup(func() { close(done) })
	msgqtest.Eventually(t, "a copy is waited for", func() bool { return copiesInfo(t, s).NumWaiting == 1 })
	return begun
}

// TestCopyForABusyMemberGoesToAnother though the broker had promised it to the busy one.
func TestCopyForABusyMemberGoesToAnother(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, MaxAttempts: 1, AckWait: time.Hour}
	started := handleForLong(t, s, c, q)
	publish(t, c, msgq.Message{Topic: "a", ID: "long"})
	msgqtest.Receive(t, started, "begin of the long handler")
	other := join(t, s.Connect(nil), q, 1)
	msgqtest.Eventually(t, "two are waited for", func() bool { return copiesInfo(t, s).NumWaiting == 2 })
	redrive(t, c, 1)
	if d := msgqtest.Receive(t, other.Deliveries(), "copy"); d.ID != "0" || d.Attempt != 1 {
		t.Errorf("got %s, attempt %d", d.ID, d.Attempt)
	}
}

func TestCopyPulledAfterASeekIsSettled(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	got := make(chan msgq.Pulled, 1)
	pulling := s.Connect(nil)
	go func() {
		defer close(got)
		pulled, err := pulling.Pull(t.Context(), "q", 5, 20*time.Second)
		if err != nil || len(pulled) != 1 {
			t.Errorf("pulled %d, error %v", len(pulled), err)
			return
		}
		got <- pulled[0]
	}()
	waitForPull(t, s)
	seek(t, c, msgq.FromNew())
	redrive(t, c, 1)
	p := msgqtest.Receive(t, got, "pulled")
	if errs, err := c.Settle(t.Context(), "q", []string{p.Tag}, msgq.Acked()); err != nil || errs[0] != nil {
		t.Errorf("errors %v, %v", err, errs)
	}
}

func TestSweepLeavesConsumersOfOthers(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	redrive(t, c, 1)
	js := msgqtest.JetStream(t, s.URL)
	for _, name := range []string{"watcher", "wächter"} {
		cfg := jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy}
		if _, err := js.CreateConsumer(t.Context(), "EVENTS_LATER", cfg); err != nil {
			t.Fatal(err)
		}
		if err := c.NewSweeper().Sweep(t.Context()); err != nil {
			t.Errorf("beside %s: %v", name, err)
		}
		if _, err := js.Consumer(t.Context(), "EVENTS_LATER", name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// waitForPull waits until one waits at queue q.
func waitForPull(t *testing.T, s *msgqtest.Server) {
	t.Helper()
	events := stream(t, s.URL, "EVENTS")
	msgqtest.Eventually(t, "the pull waits", func() bool {
		consumer, err := events.Consumer(t.Context(), "q")
		return err == nil && consumer.CachedInfo().NumWaiting == 1
	})
}

// TestRetryOfACopyWhoseScheduleIsStillThere: a leader may be later to remove it than another broker to deliver the copy.
func TestRetryOfACopyWhoseScheduleIsStillThere(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}})
	publishCopy := func(subject string, more nats.Header) uint64 {
		t.Helper()
		msg := nats.NewMsg(subject)
		msg.Header = nats.Header{
			"Msgq-Retry-Seq": {"7"}, "Msgq-Retry-Time": {"2026-01-02T03:04:05Z"}, "Msgq-Retry-Attempts": {"1"}, "Msgq-Retry-Round": {"0"},
		}
		maps.Copy(msg.Header, more)
		ack, err := msgqtest.JetStream(t, s.URL).PublishMsg(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Sequence
	}
	schedule := publishCopy("events.l.r.q.7.0."+strconv.FormatInt(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano(), 10), nats.Header{
		"Nats-Schedule": {"@at " + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, "Nats-Schedule-Target": {"events.l.q.q.a"},
	})
	publishCopy("events.l.q.q.a", nil)
	d := msgqtest.Receive(t, join(t, c, msgq.Queue{Name: "q"}, 1).Deliveries(), "copy")
	var removing sync.WaitGroup
	removing.Go(func() {
		<-time.After(100 * time.Millisecond)
		if err := stream(t, s.URL, "EVENTS_LATER").DeleteMsg(t.Context(), schedule); err != nil {
			t.Error(err)
		}
	})
	if err := d.NackAfter(t.Context(), time.Minute, "again"); err != nil {
		t.Error(err)
	}
	removing.Wait()
	wantInfo(t, c, "it waits", func(i msgq.QueueInfo) bool { return i.WaitingRetry == 1 && i.InFlight == 0 })
}

// TestCopyOfADeletedQueueIsRemoved: it came too late for the deletion, as by a redrive that was under way.
func TestCopyOfADeletedQueueIsRemoved(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	late := nats.NewMsg("events.l.q.q.a")
	late.Header.Set("Msgq-Retry-Seq", "1")
	if _, err := msgqtest.JetStream(t, s.URL).PublishMsg(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if err := c.NewSweeper().Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := stream(t, s.URL, "EVENTS_LATER").Info(t.Context())
	if err != nil || info.State.Msgs != 0 {
		t.Errorf("%d messages are left, error %v", info.State.Msgs, err)
	}
}

// TestFullMemberLeavesCopiesToOthers: one that waits for a place here would wait as long as the handler, or an ack wait.
func TestFullMemberLeavesCopiesToOthers(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Minute}
	put(t, c, q)
	publish(t, c, msgq.Message{Topic: "a"})
	redrive(t, c, 1)
	busy := join(t, c, q, 1)
	if d := msgqtest.Receive(t, busy.Deliveries(), "message"); isBuried(d) {
		t.Fatal("the copy came first")
	}
	if d := msgqtest.Receive(t, join(t, s.Connect(nil), q, 1).Deliveries(), "copy to an idle member"); !isBuried(d) || d.Attempt != 1 {
		t.Errorf("got %s, attempt %d", d.ID, d.Attempt)
	}
}

// TestLongHandlerOfACopyLeavesMessagesToOthers though its member had asked for one before.
func TestLongHandlerOfACopyLeavesMessagesToOthers(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	q := msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Minute}
	started := handleForLong(t, s, c, q)
	redrive(t, c, 1)
	msgqtest.Receive(t, started, "begin of the long handler")
	msgqtest.Eventually(t, "its request for messages is taken back", func() bool {
		consumer, err := stream(t, s.URL, "EVENTS").Consumer(t.Context(), "q")
		return err == nil && consumer.CachedInfo().NumWaiting == 0
	})
	idle := make(chan string)
	subscribe(t, s.Connect(nil), q, func(_ context.Context, d *msgq.Delivery) error {
		idle <- d.ID
		return nil
	})
	publish(t, c, msgq.Message{Topic: "a", ID: "next"})
	if id := msgqtest.Receive(t, idle, "message to the idle member"); id != "next" {
		t.Errorf("got %s", id)
	}
}
