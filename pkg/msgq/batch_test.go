package msgq_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestConcurrentPublishersGetTheirOwnSequences(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	c.PublishInGroups()
	const callers, each = 64, 50
	receipts := make([]msgq.Receipt, callers*each)
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				n := caller*each + i
				id := fmt.Sprint(n)
				if n%10 == 9 {
					id = fmt.Sprint(n - 1) // the one before again, with the same data
				}
				r, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: id, Data: []byte(id)})
				if err != nil {
					t.Errorf("publish %d: %v", n, err)
					return
				}
				receipts[n] = r
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	stored := make(map[uint64]string)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range sub.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatal(err)
		}
		stored[m.Seq] = string(m.Data)
		if len(stored) == callers*each*9/10 {
			break
		}
	}
	for n, r := range receipts {
		want := fmt.Sprint(n)
		if n%10 == 9 {
			want = fmt.Sprint(n - 1)
		}
		if stored[r.Seq] != want || r.Duplicate != (n%10 == 9) {
			t.Fatalf("publish %d: %+v, and %q is stored there", n, r, stored[r.Seq])
		}
	}
}

func TestConcurrentPublishersOverABrokerRestartLoseNothingAcknowledged(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	var mu sync.Mutex
	acknowledged := make(map[string]uint64)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for caller := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d-%d", caller, i)
				if r, err := c.Publish(t.Context(), msgq.Message{Topic: "a", ID: id}); err == nil {
					mu.Lock()
					acknowledged[id] = r.Seq
					mu.Unlock()
				}
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	for range 3 {
		before := count()
		msgqtest.Eventually(t, "publishing goes on", func() bool { return count() > before+200 })
		s.Stop()
		s.Start()
	}
	before := count()
	msgqtest.Eventually(t, "publishing goes on", func() bool { return count() > before+200 })
	close(stop)
	wg.Wait()
	sub, err := c.Live(msgqtest.Context(t), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	last := slices.Max(slices.Collect(func(yield func(uint64) bool) {
		for _, seq := range acknowledged {
			if !yield(seq) {
				return
			}
		}
	}))
	for m, err := range sub.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatalf("%d acknowledged messages are missing: %v", len(acknowledged), err)
		}
		if seq, ok := acknowledged[m.ID]; ok && seq != m.Seq {
			t.Errorf("%s was acknowledged as %d and is stored as %d", m.ID, seq, m.Seq)
		}
		delete(acknowledged, m.ID)
		if m.Seq >= last {
			break
		}
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged messages are not stored", len(acknowledged))
	}
}

func TestPublishBatchHasAResultForEachItem(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	publish(t, c, msgq.Message{Topic: "a", ID: "old", Data: []byte("1")})
	items := []msgq.BatchItem{
		{Message: msgq.Message{Topic: "a", ID: "new"}},
		{Message: msgq.Message{Topic: "a..b"}},
		{Message: msgq.Message{Topic: "a", ID: "old", Data: []byte("1")}},
		{Message: msgq.Message{Topic: "a", ID: "old", Data: []byte("2")}},
		{Message: msgq.Message{Topic: "a", ID: "later"}, Options: []msgq.PublishOption{msgq.WithDelay(time.Hour)}},
		{Message: msgq.Message{Topic: "b"}},
	}
	results := c.PublishBatch(t.Context(), items)
	want := []error{nil, msgq.ErrInvalidTopic, nil, msgq.ErrIDReused, nil, nil}
	for i, r := range results {
		if !errors.Is(r.Err, want[i]) {
			t.Errorf("item %d: %v, want %v", i, r.Err, want[i])
		}
	}
	if results[0].Seq < 2 || !results[2].Duplicate || results[2].Seq != 1 || results[4].DeliverAt.IsZero() || results[5].Seq <= results[0].Seq {
		t.Errorf("results %+v", results)
	}
}

func TestPublishBatchKeepsTheOrderOfManyItems(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	items := make([]msgq.BatchItem, 2500)
	for i := range items {
		items[i].Message = msgq.Message{Topic: "a", ID: fmt.Sprint(i), Data: []byte("x")}
	}
	for i, r := range c.PublishBatch(t.Context(), items) {
		if r.Err != nil || r.Seq != uint64(i+1) {
			t.Fatalf("item %d: %+v", i, r)
		}
	}
	for i, r := range c.PublishBatch(t.Context(), items) { // once more
		if r.Err != nil || !r.Duplicate || r.Seq != uint64(i+1) {
			t.Fatalf("item %d again: %+v", i, r)
		}
	}
}

func TestPublishAtomicStoresAllOrNone(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	item := func(topic, id, data string) msgq.BatchItem {
		return msgq.BatchItem{Message: msgq.Message{Topic: topic, ID: id, Data: []byte(data)}}
	}
	publish(t, c, msgq.Message{Topic: "a", ID: "old", Data: []byte("1")})

	receipts, err := c.PublishAtomic(t.Context(), []msgq.BatchItem{item("a", "x", ""), item("a", "old", "1"), item("a", "y", "")})
	if err != nil || receipts[0].Seq != 2 || !receipts[1].Duplicate || receipts[1].Seq != 1 || receipts[2].Seq != 3 {
		t.Fatalf("receipts %+v, error %v", receipts, err)
	}
	receipts, err = c.PublishAtomic(t.Context(), []msgq.BatchItem{item("a", "x", ""), item("a", "y", "")})
	if err != nil || !receipts[0].Duplicate || !receipts[1].Duplicate {
		t.Errorf("all of them again: %+v, error %v", receipts, err)
	}
	receipts, err = c.PublishAtomic(t.Context(), []msgq.BatchItem{item("b", "x", "1"), item("b", "x", "1")})
	if err != nil || receipts[0].Duplicate || !receipts[1].Duplicate || receipts[1].Seq != receipts[0].Seq {
		t.Errorf("the same item twice: %+v, error %v", receipts, err)
	}
	for name, test := range map[string]struct {
		items []msgq.BatchItem
		index int
		want  error
	}{
		"a topic that is none":   {[]msgq.BatchItem{item("a", "n1", ""), item("a.*", "n2", "")}, 1, msgq.ErrInvalidTopic},
		"an id with other data":  {[]msgq.BatchItem{item("a", "n1", ""), item("a", "n3", ""), item("a", "old", "2")}, 2, msgq.ErrIDReused},
		"an id twice":            {[]msgq.BatchItem{item("a", "n1", ""), item("a", "n1", "2")}, 1, msgq.ErrIDReused},
		"more than are possible": {make([]msgq.BatchItem, msgq.MaxAtomic+1), -1, msgq.ErrTooLarge},
	} {
		_, err := c.PublishAtomic(t.Context(), test.items)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if wrong, ok := errors.AsType[*msgq.ItemError](err); test.index >= 0 && (!ok || wrong.Index != test.index) {
			t.Errorf("%s: %v does not name item %d", name, err, test.index)
		}
	}
	if r := publish(t, c, msgq.Message{Topic: "a", ID: "n1"}); r.Duplicate || r.Seq != 5 {
		t.Errorf("something of a refused batch was stored: %+v", r)
	}
}

func TestDelayedMessageComesWhenItIsDue(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{">"}})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	m := msgq.Message{Topic: "a.b", ID: "x", Data: []byte("1"), Headers: map[string]string{"k": "v"}, DataContentType: "text/plain"}
	r, err := c.Publish(t.Context(), m, msgq.WithDelay(time.Second), msgq.WithTTL(time.Hour))
	if err != nil || r.Seq != 0 || r.DeliverAt.Sub(start) < time.Second {
		t.Fatalf("receipt %+v, error %v", r, err)
	}
	again, err := c.Publish(t.Context(), m, msgq.WithDelay(time.Minute))
	if err != nil || !again.Duplicate || !again.DeliverAt.Equal(r.DeliverAt) {
		t.Errorf("again: %+v, error %v, want the first one's time %s", again, err, r.DeliverAt)
	}
	other := m
	other.Data = []byte("2")
	if _, err := c.Publish(t.Context(), other, msgq.WithDelay(time.Minute)); !errors.Is(err, msgq.ErrIDReused) {
		t.Errorf("with other data: %v, want ErrIDReused", err)
	}
	for got, err := range sub.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatal(err)
		}
		late := time.Since(r.DeliverAt)
		if late < 0 || got.Topic != "a.b" || got.ID != "x" || string(got.Data) != "1" || got.Headers["k"] != "v" || got.DataContentType != "text/plain" {
			t.Errorf("%s late: %+v", late, got)
		}
		break
	}
	if again, err := c.Publish(t.Context(), m, msgq.WithDelay(time.Second)); err != nil || !again.Duplicate {
		t.Errorf("after it was due: %+v, error %v, want a duplicate", again, err)
	}
}

func TestDelayedMessagesAreListedAndCancelled(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	at := time.Now().Add(time.Hour)
	for _, topic := range []string{"a.x", "b.x", "a.y"} {
		if _, err := c.Publish(t.Context(), msgq.Message{Topic: topic, ID: "1"}, msgq.WithDeliverAt(at)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(pattern string) (topics []string) {
		for d, err := range c.Delayed(t.Context(), pattern) {
			if err != nil || !d.DeliverAt.Equal(at) || d.ID != "1" {
				t.Errorf("%+v, error %v", d, err)
			}
			topics = append(topics, d.Topic)
		}
		return topics
	}
	if got := list("a.*"); fmt.Sprint(got) != "[a.x a.y]" {
		t.Errorf("listed %v", got)
	}
	if err := c.CancelDelayed(t.Context(), "a.x", "1"); err != nil {
		t.Error(err)
	}
	if err := c.CancelDelayed(t.Context(), "a.x", "1"); !errors.Is(err, msgq.ErrNotFound) {
		t.Errorf("cancelled twice: %v, want ErrNotFound", err)
	}
	if got := list(">"); fmt.Sprint(got) != "[b.x a.y]" {
		t.Errorf("listed %v", got)
	}
	for name, option := range map[string]msgq.PublishOption{
		"too short": msgq.WithDelay(time.Millisecond), "too long": msgq.WithDelay(9000 * time.Hour), "past": msgq.WithDeliverAt(time.Now().Add(-time.Second)),
	} {
		if _, err := c.Publish(t.Context(), msgq.Message{Topic: "a"}, option); !errors.Is(err, msgq.ErrInvalidDelay) {
			t.Errorf("%s: %v, want ErrInvalidDelay", name, err)
		}
	}
}

// TestBatchesWaitForTheirTurnAtTheBroker opens as many as it takes for a stream, of all clients together.
func TestBatchesWaitForTheirTurnAtTheBroker(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	nc := msgqtest.JetStream(t, s.URL).Conn()
	part := func(batch, seq int, commit string) *nats.Msg {
		h := nats.Header{"Nats-Batch-Id": {fmt.Sprint(batch)}, "Nats-Batch-Sequence": {fmt.Sprint(seq)}}
		if commit != "" {
			h["Nats-Batch-Commit"] = []string{commit}
		}
		return &nats.Msg{Subject: "events.t.a", Header: h}
	}
	ask := func(m *nats.Msg) {
		if _, err := nc.RequestMsgWithContext(msgqtest.Context(t), m); err != nil {
			t.Fatal(err)
		}
	}
	const most = 50
	for batch := range most {
		ask(part(batch, 1, ""))
	}
	refused := make(chan *nats.Msg, 1000)
	answers, err := nc.ChanSubscribe("_INBOX.>", refused)
	if err != nil {
		t.Fatal(err)
	}
	items := []msgq.BatchItem{{Message: msgq.Message{Topic: "a"}}, {Message: msgq.Message{Topic: "b"}}}
	done := make(chan error, 2)
	go func() {
		_, err := c.PublishAtomic(msgqtest.Context(t), items)
		done <- err
	}()
	go func() {
		results := c.PublishBatch(msgqtest.Context(t), items)
		done <- errors.Join(results[0].Err, results[1].Err)
	}()
	for range 4 { // each is refused, and again
		m := msgqtest.Receive(t, refused, "refusal")
		if !strings.Contains(string(m.Data), `"error"`) {
			t.Errorf("an answer %s while %d batches are open", m.Data, most)
		}
	}
	_ = answers.Unsubscribe()
	for batch := range most {
		ask(part(batch, 2, "1"))
	}
	for range 2 {
		if err := msgqtest.Receive(t, done, "end of the batch"); err != nil {
			t.Error(err)
		}
	}
}
