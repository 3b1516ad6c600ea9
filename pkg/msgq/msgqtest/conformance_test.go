package msgqtest_test

import (
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

func TestConformanceOfTheEmbeddedBroker(t *testing.T) {
	s := msgqtest.NewServer(t)
	for name, tailBytes := range map[string]int64{"large tail": 0, "small tail": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			msgqtest.Conformance(t, func(t *testing.T) *msgq.Client {
				t.Helper()
				return msgqtest.Connect(t, s.URL, func(cfg *msgq.Config) { cfg.TailBytes = tailBytes })
			})
		})
	}
}

func TestConformanceOfAClusterOfThree(t *testing.T) {
	c := msgqtest.NewCluster(t)
	msgqtest.Conformance(t, func(t *testing.T) *msgq.Client {
		t.Helper()
		return msgqtest.Connect(t, c.URL(), func(cfg *msgq.Config) { cfg.Replicas, cfg.TailBytes = 3, 1<<20 })
	})
}
