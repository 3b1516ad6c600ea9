package msgq_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const creators = 8

// createAtOnce has so many clients put the queue q at once, and returns what each was told.
func createAtOnce(t *testing.T, s *msgqtest.Server, nth func(int) msgq.Queue) (created []int, errs []error) {
	t.Helper()
	clients := make([]*msgq.Client, creators)
	for i := range clients {
		clients[i] = s.Connect(nil)
	}
	errs = make([]error, creators)
	var mu sync.Mutex
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, c := range clients {
		all.Go(func() {
			q := nth(i)
			<-start
			ok, err := c.PutQueue(t.Context(), q)
			mu.Lock()
			defer mu.Unlock()
			if errs[i] = err; ok {
				created = append(created, i)
			}
		})
	}
	close(start)
	all.Wait()
	return created, errs
}

func TestOneOfThoseWhoCreateAQueueAtOnceDoes(t *testing.T) {
	s := msgqtest.NewServer(t)
	for name, nth := range map[string]func(int) msgq.Queue{
		"equal":           func(int) msgq.Queue { return msgq.Queue{Name: "q", Topics: []string{"a"}} },
		"from the oldest": func(int) msgq.Queue { return msgq.Queue{Name: "q", Topics: []string{"a"}, From: msgq.FromAll()} },
		"other settings": func(i int) msgq.Queue {
			return msgq.Queue{Name: "q", Topics: []string{"a"}, AckWait: time.Duration(i+1) * time.Second}
		},
	} {
		t.Run(name, func(t *testing.T) {
			created, errs := createAtOnce(t, s, nth)
			if err := errors.Join(errs...); err != nil || len(created) != 1 {
				t.Errorf("%d created it, want 1; errors %v", len(created), err)
			}
			consumer, err := msgqtest.JetStream(t, s.URL).Consumer(t.Context(), "EVENTS", "q")
			if err != nil {
				t.Fatal(err)
			}
			if info := consumer.CachedInfo(); info.Paused {
				t.Errorf("the queue is paused for another %s", info.PauseRemaining)
			}
			if err := s.Connect(nil).DeleteQueue(t.Context(), "q"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestWhoCreatesAQueueTooLateChangesNothingOfIt(t *testing.T) {
	s := msgqtest.NewServer(t)
	secrets := make([]string, creators)
	for i := range secrets {
		secrets[i] = fmt.Sprintf("whsec_%032d", i)
	}
	created, errs := createAtOnce(t, s, func(i int) msgq.Queue {
		q := pushQueue(&secrets[i])
		q.Filter = fmt.Sprintf("data.n == %d", i)
		return q
	})
	if len(created) != 1 {
		t.Fatalf("%d created it, want 1; errors %v", len(created), errs)
	}
	for i, err := range errs {
		if i != created[0] && !errors.Is(err, msgq.ErrQueueMismatch) {
			t.Errorf("another filter: error %v, want %v", err, msgq.ErrQueueMismatch)
		}
	}
	checkSecret(t, s.Connect(nil), secrets[created[0]])
}

// intercepted is a connection on which something happens before the first write that has the text.
type intercepted struct {
	net.Conn
	text   string
	before func()
}

func (c *intercepted) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.text) {
		c.before()
	}
	return c.Conn.Write(b)
}

// Dial is called by the NATS client on one without a connection.
func (c *intercepted) Dial(network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).Dial(network, address)
	return &intercepted{conn, c.text, c.before}, err
}

func TestQueueDeletedWhileItIsPutIsCreated(t *testing.T) {
	for name, test := range map[string]struct {
		exists  bool
		request string // before which it is deleted
	}{
		"to be changed": {true, "$JS.API.CONSUMER.CREATE.EVENTS.q "},
		"just created":  {false, "$JS.API.CONSUMER.PAUSE.EVENTS.q "},
	} {
		t.Run(name, func(t *testing.T) {
			s := msgqtest.NewServer(t)
			deleter := s.Connect(nil)
			deleted := sync.OnceFunc(func() {
				if err := deleter.DeleteQueue(t.Context(), "q"); err != nil {
					t.Errorf("delete: %v", err)
				}
			})
			c := s.Connect(func(cfg *msgq.Config) {
				cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: test.request, before: deleted}))
			})
			if test.exists {
				putQueue(t, deleter, pushQueue(nil))
			}
			created, err := c.PutQueue(t.Context(), pushQueue(nil))
			if err != nil || !created {
				t.Errorf("created %t, error %v, want it created", created, err)
			}
			if _, err := deleter.QueueInfo(t.Context(), "q"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestQueueIsDeletedWholeWhoeverGivesUp(t *testing.T) {
	s := msgqtest.NewServer(t)
	bury(t, s.Connect(nil), 1)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	c := s.Connect(func(cfg *msgq.Config) {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: "$JS.API.CONSUMER.DELETE.EVENTS.q ", before: giveUp}))
	})
	if err := c.DeleteQueue(ctx, "q"); err != nil {
		t.Error(err)
	}
	deadLetters(t, c, "q", 0)
}

func TestDeletionThatWasCutShortCanBeRepeated(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	bury(t, c, 1)
	if err := msgqtest.JetStream(t, s.URL).DeleteConsumer(t.Context(), "EVENTS", "q"); err != nil { // and then the broker died
		t.Fatal(err)
	}
	if err := c.DeleteQueue(t.Context(), "q"); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("error %v, want %v", err, msgq.ErrQueueNotFound)
	}
	deadLetters(t, c, "q", 0)
}

func TestQueueOverTheStreamsLimitOfConsumersIsOneTooMany(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil).Close() // creates the streams
	js := msgqtest.JetStream(t, s.URL)
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxConsumers = 2
	if err := js.DeleteStream(t.Context(), "EVENTS"); err != nil { // the limit cannot be changed
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	c := s.Connect(nil)
	for i := range cfg.MaxConsumers + 1 {
		_, err = c.PutQueue(t.Context(), msgq.Queue{Name: fmt.Sprint("q", i), Topics: []string{"a"}})
	}
	if !errors.Is(err, msgq.ErrTooManyQueues) {
		t.Errorf("error %v, want %v", err, msgq.ErrTooManyQueues)
	}
}

func TestQueueIsListedOnceWhereOthersAreCreatedMeanwhile(t *testing.T) {
	s := msgqtest.NewServer(t)
	putQueue(t, s.Connect(nil), msgq.Queue{Name: "q", Topics: []string{"a"}})
	js := msgqtest.JetStream(t, s.URL)
	create := func(name string) {
		if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: name}); err != nil {
			t.Error(err)
		}
	}
	for i := range 255 { // with q the broker's first page
		create(fmt.Sprintf("a%d", i))
	}
	create("z")
	c := s.Connect(func(cfg *msgq.Config) {
		before := sync.OnceFunc(func() { create("a") })
		cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: `{"offset":256}`, before: before}))
	})
	queues, err := c.Queues(t.Context())
	if err != nil || len(queues) != 1 {
		t.Errorf("%d queues, error %v, want one", len(queues), err)
	}
}

// TestQueueHalfMadeIsRemoved where the connection hangs before it has its start: it would begin with the oldest message.
func TestQueueHalfMadeIsRemoved(t *testing.T) {
	t.Parallel()
	s := msgqtest.NewServer(t)
	hang := sync.OnceFunc(func() { <-time.After(5 * time.Second) }) // longer than a request waits
	c := s.Connect(func(cfg *msgq.Config) {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: "$JS.API.CONSUMER.RESET.EVENTS.q ", before: hang}))
	})
	if _, err := c.PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}}); !errors.Is(err, msgq.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, msgq.ErrUnavailable)
	}
	if _, err := s.Connect(nil).Queue(t.Context(), "q"); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("error %v, want %v", err, msgq.ErrQueueNotFound)
	}
}

// TestQueueWhoseCreatorDiedIsNotThere: what it has left would give its first member the oldest message.
func TestQueueWhoseCreatorDiedIsNotThere(t *testing.T) {
	t.Parallel()
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	publish(t, c, msgq.Message{Topic: "a", ID: "old"})
	died := make(chan struct{})
	die := sync.OnceFunc(func() {
		close(died)
		<-t.Context().Done() // not even what it does about errors is sent
	})
	creator := s.Connect(func(cfg *msgq.Config) {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: "$JS.API.CONSUMER.RESET.EVENTS.q ", before: die}))
	})
	go func() { _, _ = creator.PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}}) }()
	msgqtest.Receive(t, died, "the creator's death")
	msgqtest.Eventually(t, "it is listed no more", func() bool {
		queues, err := c.Queues(t.Context())
		return err == nil && len(queues) == 0
	})
	m := join(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}, 1)
	publish(t, c, msgq.Message{Topic: "a", ID: "new"})
	if d := msgqtest.Receive(t, m.Deliveries(), "message"); d.ID != "new" {
		t.Errorf("got the message %q", d.ID)
	}
}

// TestCreatorThatHungLeavesTheQueueOfAnother, which deleted what it had half made.
func TestCreatorThatHungLeavesTheQueueOfAnother(t *testing.T) {
	t.Parallel()
	s := msgqtest.NewServer(t)
	hangs, goesOn := make(chan struct{}), make(chan struct{})
	hang := sync.OnceFunc(func() {
		close(hangs)
		<-goesOn
	})
	c := s.Connect(func(cfg *msgq.Config) {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: "$JS.API.CONSUMER.RESET.EVENTS.q ", before: hang}))
	})
	late := make(chan error, 1)
	go func() {
		_, err := c.PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}})
		late <- err
	}()
	msgqtest.Receive(t, hangs, "hang")
	other := s.Connect(nil)
	msgqtest.Eventually(t, "another creates it", func() bool {
		created, err := other.PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}})
		return err == nil && created
	})
	publish(t, other, msgq.Message{Topic: "a"})
	close(goesOn)
	if err := msgqtest.Receive(t, late, "error"); !errors.Is(err, msgq.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, msgq.ErrUnavailable)
	}
	if info, err := other.QueueInfo(t.Context(), "q"); err != nil || info.Ready != 1 {
		t.Errorf("%d messages are ready, error %v, want 1", info.Ready, err)
	}
}

// TestWhoLooksAtAQueueHalfMadeDeletesNothing: it could be slow, and delete the queue that another has made since.
func TestWhoLooksAtAQueueHalfMadeDeletesNothing(t *testing.T) {
	t.Parallel()
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	until := time.Now().Add(100 * 365 * 24 * time.Hour)
	_, err := msgqtest.JetStream(t, s.URL).CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{
		Durable: "q", PauseUntil: &until, Metadata: map[string]string{"msgq-queue": `{"topics":["a"]}`, "msgq-creation": "its own"},
	})
	if err != nil {
		t.Fatal(err)
	}
	create := sync.OnceFunc(func() { put(t, c, msgq.Queue{Name: "q", Topics: []string{"a"}}) })
	looker := s.Connect(func(cfg *msgq.Config) {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.SetCustomDialer(&intercepted{text: "$JS.API.CONSUMER.DELETE.EVENTS.q ", before: create}))
	})
	msgqtest.Eventually(t, "it is not there", func() bool {
		_, err := looker.Queue(t.Context(), "q")
		return errors.Is(err, msgq.ErrQueueNotFound)
	})
	create()
	if _, err := looker.Queue(t.Context(), "q"); err != nil {
		t.Error(err)
	}
}
