package msgq_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestPublishesUnderWayEndWithTheConnection(t *testing.T) {
	for name, callers := range map[string]int{"alone": 1, "in groups": 64} {
		t.Run(name, func(t *testing.T) {
			s := msgqtest.NewProcess(t, msgqtest.MsgqBroker(t))
			c := s.Connect(nil)
			if callers > 1 {
				c.PublishInGroups()
			}
			s.Freeze() // nothing is answered, and nobody knows
			results := make(chan error, callers)
			for range callers {
				go func() {
					_, err := c.Publish(t.Context(), msgq.Message{Topic: "a"})
					results <- err
				}()
			}
			msgqtest.Eventually(t, "all publishes are under way", func() bool {
				select {
				case err := <-results:
					t.Fatalf("a publish has ended while the broker was frozen: %v", err)
				default:
				}
				return c.PublishesUnderWay() == callers
			})
			s.Restart()
			for range callers {
				err := msgqtest.Receive(t, results, "result")
				if !errors.Is(err, msgq.ErrUnavailable) || !errors.Is(err, nats.ErrDisconnected) {
					t.Errorf("error %v, want ErrUnavailable because of the connection, not of the time", err)
				}
			}
			msgqtest.Eventually(t, "publishing works again", func() bool {
				_, err := c.Publish(t.Context(), msgq.Message{Topic: "a"})
				return err == nil
			})
		})
	}
}
