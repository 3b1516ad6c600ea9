package msgq_test

import (
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// megabytes publishes n messages of that size to a fresh queue.
func megabytes(t *testing.T, c *msgq.Client, n, size int) {
	t.Helper()
	if _, err := c.PutQueue(t.Context(), msgq.Queue{Name: "large", Topics: []string{"t"}}); err != nil {
		t.Fatal(err)
	}
	for range n {
		publish(t, c, msgq.Message{Topic: "t", Data: make([]byte, size)})
	}
}

func acknowledge(t *testing.T, d *msgq.Delivery) {
	t.Helper()
	if d.Attempt != 1 {
		t.Errorf("message %d came %d times", d.Seq, d.Attempt)
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
}

// TestLargeMessagesComeFewAtATime wants a member with much credit that takes nothing to
// cost as much as a few of them, and to get all when it does.
func TestLargeMessagesComeFewAtATime(t *testing.T) {
	const n, few = 30, 17
	c := msgqtest.NewServer(t).Connect(nil)
	megabytes(t, c, n, 1_000_000)
	m := join(t, c, msgq.Queue{Name: "large"}, msgq.MaxCredit)
	msgqtest.Eventually(t, "as many as may wait", func() bool { return len(m.Deliveries()) >= few-1 })
	for range n {
		if waiting := len(m.Deliveries()); waiting > few {
			t.Fatalf("%d messages of 1 MB wait", waiting)
		}
		acknowledge(t, msgqtest.Receive(t, m.Deliveries(), "message"))
	}
}

// TestManyMembersOfLargeMessages has more members than can each ask for one such message at a time.
func TestManyMembersOfLargeMessages(t *testing.T) {
	const n, members = 50, 40
	c := msgqtest.NewServer(t).Connect(nil)
	megabytes(t, c, n, 1_000_000)
	got := make(chan *msgq.Delivery)
	for range members {
		m := join(t, c, msgq.Queue{Name: "large"}, 10)
		go func() {
			for {
				select {
				case d := <-m.Deliveries():
					got <- d
				case <-m.Done():
					return
				}
			}
		}()
	}
	for range n {
		acknowledge(t, msgqtest.Receive(t, got, "message"))
	}
}

func TestAPullEndsBehindFourMebibytes(t *testing.T) {
	testLargePulls(t, msgqtest.NewServer(t).Connect(nil), 1_000_000)
}

// TestAPullOfAReplicatedQueueLeavesNothingBehind: the broker says that the next message is too large before it sends those before it.
func TestAPullOfAReplicatedQueueLeavesNothingBehind(t *testing.T) {
	testLargePulls(t, msgqtest.NewCluster(t).Connect(nil), 1_000_000)
}

func TestAPullOfTheLargestMessagesEnds(t *testing.T) {
	testLargePulls(t, msgqtest.NewServer(t).Connect(nil), 1<<20)
}

func testLargePulls(t *testing.T, c *msgq.Client, size int) {
	t.Helper()
	const n = 10
	megabytes(t, c, n, size)
	for got := 0; got < n; {
		pulled, err := c.Pull(t.Context(), "large", 100, 10*time.Second)
		if err != nil || len(pulled) < 1 || len(pulled) > 4 {
			t.Fatalf("%d messages of %d bytes in one pull, %v", len(pulled), size, err)
		}
		for _, p := range pulled {
			if p.Attempt != 1 {
				t.Errorf("message %d came %d times", p.Seq, p.Attempt)
			}
		}
		got += len(pulled)
	}
}

func TestAPullThatWaitedGivesNoMoreThanAskedFor(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	megabytes(t, c, 0, 0)
	pulled := make(chan []msgq.Pulled, 1)
	go func() {
		got, err := c.Pull(t.Context(), "large", 1, time.Minute)
		if err != nil {
			t.Error(err)
		}
		pulled <- got
	}()
	msgqtest.Eventually(t, "it waits", func() bool {
		info, err := c.QueueInfo(t.Context(), "large")
		return err == nil && info.Members == 1
	})
	items := make([]msgq.BatchItem, 5)
	for i := range items {
		items[i].Message = msgq.Message{Topic: "t"}
	}
	if _, err := c.PublishAtomic(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	if got := msgqtest.Receive(t, pulled, "pull"); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}
