package msgq_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLiveStartsWhereAsked(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	var receipts []msgq.Receipt
	for i := range 6 {
		topic := []string{"a.x", "b.x"}[i%2]
		receipts = append(receipts, publish(t, c, msgq.Message{Topic: topic, ID: fmt.Sprint(i)}))
	}
	tests := map[string]struct {
		from      msgq.From
		topics    []string
		want      []string
		recovered bool
	}{
		"all":                     {msgq.FromAll(), []string{">"}, []string{"0", "1", "2", "3", "4", "5", "end"}, true},
		"new":                     {msgq.FromNew(), []string{">"}, []string{"end"}, true},
		"after the third":         {msgq.After(msgq.Position{Seq: receipts[2].Seq}), []string{">"}, []string{"3", "4", "5", "end"}, true},
		"after of another epoch":  {msgq.After(msgq.Position{Seq: receipts[2].Seq, Epoch: "x"}), []string{"a.*"}, []string{"0", "2", "4", "end"}, false},
		"last two of one pattern": {msgq.FromLast(2), []string{"a.*"}, []string{"2", "4", "end"}, true},
		"last three of two":       {msgq.FromLast(3), []string{"a.*", "b.>"}, []string{"3", "4", "5", "end"}, true},
		"last of more than exist": {msgq.FromLast(100), []string{"b.x"}, []string{"1", "3", "5", "end"}, true},
		"an hour ago":             {msgq.FromTime(time.Now().Add(-time.Hour)), []string{"a.>"}, []string{"0", "2", "4", "end"}, true},
		"now":                     {msgq.FromTime(time.Now().Add(time.Millisecond)), []string{">"}, []string{"end"}, true},
	}
	subs := make(map[string]*msgq.LiveSubscription)
	for name, test := range tests {
		sub, err := c.Live(msgqtest.Context(t), msgq.Live{Topics: test.topics, From: test.from})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		subs[name] = sub
	}
	publish(t, c, msgq.Message{Topic: "a.x", ID: "end"})
	publish(t, c, msgq.Message{Topic: "b.x", ID: "end"})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if subs[name].Recovered() != test.recovered {
				t.Errorf("recovered %v, want %v", subs[name].Recovered(), test.recovered)
			}
			got := ids(readUntil(t, subs[name], "end"))
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestLiveReadsFromTheBrokerWhatTheTailForgot(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes = 1 << 20 })
	slow, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}})
	if err != nil {
		t.Fatal(err)
	}
	const n = 600
	for i := range n { // 6 MB through a tail of 1 MB
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i), Data: make([]byte, 10<<10)})
	}
	got := readUntil(t, slow, fmt.Sprint(n-1))
	checkConsecutive(t, got, n)
}

func TestLiveFromANewProcessReadsHistory(t *testing.T) {
	s := msgqtest.NewServer(t)
	first := s.Connect(nil)
	const n = 1000
	for i := range n {
		publish(t, first, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	c := s.Connect(nil) // its tail begins at the end
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	checkConsecutive(t, readUntil(t, sub, fmt.Sprint(n-1)), n)
}

func TestLiveGoesOnAfterABrokerRestart(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, c, msgq.Message{Topic: "a", ID: "0"})
	readUntil(t, sub, "0")
	for i := 1; i <= 3; i++ {
		s.Stop()
		s.Start()
		id := fmt.Sprint(i)
		msgqtest.Eventually(t, "publishing works again", func() bool {
			_, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: id})
			return err == nil
		})
		if got := readUntil(t, sub, id); len(got) != 1 {
			t.Fatalf("got %v after restart %d, want one message", ids(got), i)
		}
	}
}

func TestLiveIsToldOfAnotherStream(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i)})
	}
	readUntil(t, sub, "4")
	deleteStream(t, s.URL, "EVENTS")
	msgqtest.Eventually(t, "publishing works again", func() bool {
		_, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: "new"})
		return err == nil
	})
	reset := false
	for {
		batch, err := sub.Next(msgqtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		reset = reset || batch.Reset
		if len(batch.Messages) > 0 {
			if !reset || batch.Messages[0].ID != "new" {
				t.Errorf("reset %v, first message %q", reset, batch.Messages[0].ID)
			}
			return
		}
	}
}

func TestLiveTellsOfMessagesGoneWhileItWasBehind(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(func(cfg *msgq.Config) { cfg.TailBytes = 1 << 20; cfg.MaxBytes = 2 << 20 })
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 { // 10 MB through a stream of 2 MB
		publish(t, c, msgq.Message{Topic: "a", ID: fmt.Sprint(i), Data: make([]byte, 100<<10)})
	}
	batch, err := sub.Next(msgqtest.Context(t))
	if err != nil || !batch.Reset {
		t.Errorf("batch %+v, error %v: want a reset", batch, err)
	}
}

func TestLiveRefusesBadInput(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	tests := map[string]struct {
		live msgq.Live
		want error
	}{
		"no pattern":      {msgq.Live{}, msgq.ErrInvalidTopic},
		"> in the middle": {msgq.Live{Topics: []string{"a.>.b"}}, msgq.ErrInvalidTopic},
		"bad filter":      {msgq.Live{Topics: []string{">"}, Filter: "data.x =="}, msgq.ErrInvalidFilter},
		"last 0":          {msgq.Live{Topics: []string{">"}, From: msgq.FromLast(0)}, msgq.ErrInvalidFrom},
	}
	for name, test := range tests {
		if _, err := c.Live(t.Context(), test.live); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
}

// readUntil reads up to the message with the id.
func readUntil(t *testing.T, sub *msgq.LiveSubscription, id string) []*msgq.Message {
	t.Helper()
	var got []*msgq.Message
	for m, err := range sub.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatalf("after %v: %v", ids(got), err)
		}
		got = append(got, m)
		if m.ID == id {
			break
		}
	}
	return got
}

func ids(messages []*msgq.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.ID)
	}
	return all
}

func checkConsecutive(t *testing.T, got []*msgq.Message, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("got %d messages, want %d", len(got), n)
	}
	for i, m := range got {
		if m.ID != fmt.Sprint(i) {
			t.Fatalf("message %d has id %s", i, m.ID)
		}
	}
}

func deleteStream(t *testing.T, url, name string) {
	t.Helper()
	js := msgqtest.JetStream(t, url)
	if err := js.DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func TestCheckTellsThatLiveSubscriptionsGetNothingNew(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	js := msgqtest.JetStream(t, s.URL)
	var last string
	for { // until the broker takes no more
		consumer, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{MemoryStorage: true})
		if errors.Is(err, jetstream.ErrMaximumConsumersLimit) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = consumer.CachedInfo().Name
	}
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("error %v, though nobody wants to see anything", err)
	}
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	msgqtest.Eventually(t, "it is told", func() bool { return errors.Is(c.Check(t.Context()), msgq.ErrUnavailable) })
	if err := js.DeleteConsumer(t.Context(), "EVENTS", last); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "it is over", func() bool { return c.Check(t.Context()) == nil })
}
