package msgq_test

import (
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// megabytes publishes n messages of 1 MB to a fresh queue.
func megabytes(t *testing.T, c *msgq.Client, n int) {
	t.Helper()
	if _, err := c.PutQueue(t.Context(), msgq.Queue{Name: "large", Topics: []string{"t"}}); err != nil {
		t.Fatal(err)
	}
	for range n {
		publish(t, c, msgq.Message{Topic: "t", Data: make([]byte, 1_000_000)})
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
	megabytes(t, c, n)
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
	megabytes(t, c, n)
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
	const n = 10
	c := msgqtest.NewServer(t).Connect(nil)
	megabytes(t, c, n)
	for got := 0; got < n; {
		pulled, err := c.Pull(t.Context(), "large", 100, 10*time.Second)
		if err != nil || len(pulled) < 1 || len(pulled) > 4 {
			t.Fatalf("%d messages of 1 MB in one pull, %v", len(pulled), err)
		}
		for _, p := range pulled {
			if p.Attempt != 1 {
				t.Errorf("message %d came %d times", p.Seq, p.Attempt)
			}
		}
		got += len(pulled)
	}
}
