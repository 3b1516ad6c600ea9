package msgq

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestQuorumIsALeaderWithAMajority(t *testing.T) {
	replicas := func(active ...time.Duration) (infos []*jetstream.PeerInfo) {
		for _, d := range active {
			infos = append(infos, &jetstream.PeerInfo{Active: d})
		}
		return infos
	}
	const heard, silent = time.Second, time.Minute
	for name, test := range map[string]struct {
		cluster *jetstream.ClusterInfo
		want    bool
	}{
		"no cluster":               {nil, true},
		"one copy":                 {&jetstream.ClusterInfo{Leader: "a"}, true},
		"whole":                    {&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(heard, heard)}, true},
		"one is gone":              {&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(heard, silent)}, true},
		"both are gone":            {&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(silent, silent)}, false},
		"elected just now":         {&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(0, 0)}, true},
		"nobody leads":             {&jetstream.ClusterInfo{Replicas: replicas(0, heard, silent)}, false},
		"two of five are left":     {&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(heard, silent, silent, silent)}, false},
		"the other of two is gone": {&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(silent)}, false},
	} {
		if got := hasQuorum(test.cluster); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestStrandedClientLeavesAndTakesItsTime(t *testing.T) {
	unanswered := brokerError("look", context.DeadlineExceeded)
	now := time.Unix(1_000, 0)
	var s stranded
	// left looks until the broker is left, and returns how long that took.
	left := func(err error) time.Duration {
		began := now
		for range 1_000 {
			look := now
			now = now.Add(requestTimeout)
			if s.leave(look, now, err) {
				return now.Sub(began)
			}
		}
		return 0
	}
	for _, want := range []float64{8, 12, 20, 40, 60, 60} {
		if got := left(unanswered).Seconds(); got != want {
			t.Errorf("left after %gs, want %gs", got, want)
		}
		s.leave(now, now, fmt.Errorf("%w: not connected", ErrUnavailable)) // on its way to another
	}
	s.leave(now, now, nil)
	if got := left(brokerError("look", ErrNoQuorum)); got != requestTimeout {
		t.Errorf("without a majority: left after %s, want one look", got)
	}
	s.leave(now, now, nil)
	if got := left(brokerError("look", jetstream.ErrStreamNotFound)); got != 0 {
		t.Errorf("a stream that is missing: left after %s, for another broker that lacks it too", got)
	}
	s.leave(now, now, unanswered)
	now = now.Add(2 * time.Second)
	s.leave(now, now, nil)
	if got := left(unanswered); got != 2*requestTimeout {
		t.Errorf("after a look that went well: left after %s", got)
	}
}
