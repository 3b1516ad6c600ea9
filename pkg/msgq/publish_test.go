package msgq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestPublishReturnsGrowingSequences(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	first := publish(t, c, msgq.Message{Topic: "orders.created", Data: []byte("1")})
	second := publish(t, c, msgq.Message{Topic: "orders.created", Data: []byte("2")})
	if first.Seq == 0 || second.Seq != first.Seq+1 {
		t.Errorf("seqs %d, %d: want consecutive ones from 1", first.Seq, second.Seq)
	}
	if first.ID == "" || first.ID == second.ID {
		t.Errorf("ids %q, %q: want fresh ones", first.ID, second.ID)
	}
}

func TestPublishTheSameIDStoresOnce(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := msgq.Message{Topic: "orders", ID: "order-1", Data: []byte("a")}
	first := publish(t, c, m)
	again := publish(t, c, m)
	if !again.Duplicate || again.Seq != first.Seq {
		t.Errorf("second publish: %+v, want a duplicate of %d", again, first.Seq)
	}
	elsewhere := m
	elsewhere.Topic = "invoices"
	if r := publish(t, c, elsewhere); r.Duplicate {
		t.Error("ids must be scoped to their topic")
	}
	for name, change := range map[string]func(*msgq.Message){
		"other data":         func(m *msgq.Message) { m.Data = []byte("b") },
		"other content type": func(m *msgq.Message) { m.DataContentType = "text/plain" },
	} {
		changed := m
		change(&changed)
		if _, err := c.Publish(t.Context(), changed); !errors.Is(err, msgq.ErrIDReused) {
			t.Errorf("%s: error %v, want ErrIDReused", name, err)
		}
	}
}

func TestPublishRefusesWhatItCannotKeep(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	tests := map[string]struct {
		m    msgq.Message
		want error
	}{
		"empty topic":         {msgq.Message{}, msgq.ErrInvalidTopic},
		"wildcard":            {msgq.Message{Topic: "a.*"}, msgq.ErrInvalidTopic},
		"space in the id":     {msgq.Message{Topic: "a", ID: "a b"}, msgq.ErrInvalidID},
		"long id":             {msgq.Message{Topic: "a", ID: strings.Repeat("x", 257)}, msgq.ErrInvalidID},
		"broker's header":     {msgq.Message{Topic: "a", Headers: map[string]string{"nats-rollup": "all"}}, msgq.ErrInvalidHeader},
		"our header":          {msgq.Message{Topic: "a", Headers: map[string]string{"msgq-id": "x"}}, msgq.ErrInvalidHeader},
		"upper case header":   {msgq.Message{Topic: "a", Headers: map[string]string{"Region": "eu"}}, msgq.ErrInvalidHeader},
		"line break in value": {msgq.Message{Topic: "a", Headers: map[string]string{"x": "a\r\nNats-Rollup: all"}}, msgq.ErrInvalidHeader},
		"value not UTF-8":     {msgq.Message{Topic: "a", Headers: map[string]string{"x": "\xff"}}, msgq.ErrInvalidHeader},
		"large headers":       {msgq.Message{Topic: "a", Headers: map[string]string{"x": strings.Repeat("v", 16<<10)}}, msgq.ErrInvalidHeader},
		"large data":          {msgq.Message{Topic: "a", Data: make([]byte, 2<<20)}, msgq.ErrTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := c.Publish(t.Context(), test.m); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestPublishWithTTLIsForgotten(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	m := msgq.Message{Topic: "short.lived", ID: "x", Data: []byte("1")}
	if _, err := c.Publish(t.Context(), m, msgq.WithTTL(time.Millisecond)); !errors.Is(err, msgq.ErrInvalidTTL) {
		t.Errorf("error %v, want ErrInvalidTTL", err)
	}
	if _, err := c.Publish(t.Context(), m, msgq.WithTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "the message is forgotten", func() bool {
		// While it is held, the id with other data is refused.
		changed := m
		changed.Data = []byte("2")
		_, err := c.Publish(t.Context(), changed)
		return err == nil
	})
}

func TestPublishWithoutBrokerIsUnavailableAtOnceAndWellAgain(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	publish(t, c, msgq.Message{Topic: "a"})
	s.Stop()
	start := time.Now()
	_, err := c.Publish(t.Context(), msgq.Message{Topic: "a"})
	if !errors.Is(err, msgq.ErrUnavailable) || time.Since(start) > 5*time.Second {
		t.Errorf("error %v after %s, want ErrUnavailable within 5s", err, time.Since(start))
	}
	if err := c.Check(t.Context()); !errors.Is(err, msgq.ErrUnavailable) {
		t.Errorf("check: %v, want ErrUnavailable", err)
	}
	s.Start()
	msgqtest.Eventually(t, "publishing works again", func() bool {
		r, err := c.Publish(t.Context(), msgq.Message{Topic: "a"})
		return err == nil && r.Seq == 2 // what failed meanwhile was not stored after the reconnect
	})
	msgqtest.Eventually(t, "the client is ready again", func() bool { return c.Check(t.Context()) == nil })
}

func TestFullStreamRefusesWhenToldTo(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(func(cfg *msgq.Config) {
		cfg.MaxBytes, cfg.WhenFull = 1<<20, msgq.Refuse
	})
	data := make([]byte, 300<<10)
	for range 3 {
		publish(t, c, msgq.Message{Topic: "a", Data: data})
	}
	if _, err := c.Publish(t.Context(), msgq.Message{Topic: "a", Data: data}); !errors.Is(err, msgq.ErrStreamFull) {
		t.Errorf("error %v, want ErrStreamFull", err)
	}
}

func TestDeletedStreamIsMadeAgainWithANewEpoch(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	before := c.Epoch()
	publish(t, c, msgq.Message{Topic: "a"})
	deleteStream(t, s.URL, "EVENTS")
	msgqtest.Eventually(t, "publishing works again", func() bool {
		_, err := c.Publish(t.Context(), msgq.Message{Topic: "a"})
		return err == nil
	})
	msgqtest.Eventually(t, "the epoch is another", func() bool { return c.Epoch() != before })
}

func TestBadConfigNamesEveryField(t *testing.T) {
	_, err := msgq.Open(msgq.Config{Stream: "a b", Replicas: 9, MaxAge: time.Second, WhenFull: "explode"})
	for _, field := range []string{"Stream", "Replicas", "MaxAge", "WhenFull"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v does not name %q", err, field)
		}
	}
}

func publish(t testing.TB, c *msgq.Client, m msgq.Message) msgq.Receipt {
	t.Helper()
	r, err := c.Publish(msgqtest.Context(t), m)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return r
}
