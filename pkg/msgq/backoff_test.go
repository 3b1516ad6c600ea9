package msgq_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

func TestBackoffDoublesUpToItsMaximumWithSomeJitter(t *testing.T) {
	for name, test := range map[string]struct {
		backoff msgq.Backoff
		attempt int
		want    time.Duration
	}{
		"default, first":         {msgq.Backoff{}, 1, time.Second},
		"default, second":        {msgq.Backoff{}, 2, 2 * time.Second},
		"default, fifth":         {msgq.Backoff{}, 5, 16 * time.Second},
		"default, at its bound":  {msgq.Backoff{}, 11, 15 * time.Minute},
		"default, far beyond":    {msgq.Backoff{}, 1000, 15 * time.Minute},
		"before the first":       {msgq.Backoff{}, 0, time.Second},
		"base":                   {msgq.Backoff{Base: 100 * time.Millisecond}, 3, 400 * time.Millisecond},
		"base over the maximum":  {msgq.Backoff{Base: time.Hour}, 2, time.Hour},
		"maximum below the base": {msgq.Backoff{Base: time.Minute, Max: time.Second}, 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(map[time.Duration]bool)
			for range 200 {
				d := test.backoff.Delay(test.attempt)
				if d < test.want || d > test.want+test.want/5 {
					t.Fatalf("waits %s, want %s and up to a fifth more", d, test.want)
				}
				seen[d] = true
			}
			if len(seen) < 10 {
				t.Errorf("only %d different waits in 200: retries come all at once", len(seen))
			}
		})
	}
}

func TestBackoffListIsTakenAsItIs(t *testing.T) {
	b := msgq.Backoff{List: []time.Duration{0, time.Second, 5 * time.Second}}
	for attempt, want := range map[int]time.Duration{0: 0, 1: 0, 2: time.Second, 3: 5 * time.Second, 4: 5 * time.Second, 999: 5 * time.Second} {
		if got := b.Delay(attempt); got != want {
			t.Errorf("after attempt %d: %s, want %s", attempt, got, want)
		}
	}
}

func TestConfigNamesEveryFieldOutsideItsLimits(t *testing.T) {
	if err := (msgq.Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v, want it ready to use", err)
	}
	for field, c := range map[string]msgq.Config{
		"Stream":          {Stream: "a.b"},
		"Replicas":        {Replicas: 6},
		"MaxAge":          {MaxAge: time.Second, DuplicateWindow: time.Second},
		"MaxBytes":        {MaxBytes: 1000},
		"WhenFull":        {WhenFull: "explode"},
		"DuplicateWindow": {DuplicateWindow: 200 * time.Hour},
		"MaxQueues":       {MaxQueues: 901}, // the broker's 1,000 consumers would leave none for live subscriptions
		"TailBytes":       {TailBytes: 1},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want it named alone", field, err)
		}
	}
	all := msgq.Config{
		Stream: strings.Repeat("x", 33), Replicas: -1, MaxAge: -1, MaxBytes: -1, WhenFull: "x", DuplicateWindow: 1, MaxQueues: -1, TailBytes: -1,
	}
	if err := all.Validate(); err == nil || strings.Count(err.Error(), "\n") != 7 {
		t.Errorf("error %v, want all 8 named", err)
	}
}
