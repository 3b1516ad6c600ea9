package msgq

import (
	"testing"
	"time"
)

// load is a broker and its callers in a time of its own: each call comes back as soon as it is answered.
type load struct {
	pace
	now           time.Time
	single, batch time.Duration // what they cost this broker
}

func newLoad(single time.Duration) *load {
	return &load{now: time.Unix(1e9, 0), single: single, batch: perBatch}
}

// run has so many callers publish for d, and returns the share of messages that went in batches.
func (l *load) run(callers int, d time.Duration) float64 {
	var batched, all float64
	for end := l.now.Add(d); l.now.Before(end); {
		if l.groups(callers, l.now) {
			l.now = l.now.Add(l.batch)
			l.together(l.batch)
			batched += float64(callers)
			all += float64(callers)
			continue
		}
		l.now = l.now.Add(l.single)
		l.singly(callers-1, l.now)
		all++
	}
	return batched / all
}

const (
	synced, unsynced = 200 * time.Microsecond, 12 * time.Microsecond
	perBatch         = 3 * time.Millisecond
)

func TestPaceGroupsWhereThatIsFaster(t *testing.T) {
	for name, test := range map[string]struct {
		single  time.Duration
		callers int
		grouped bool
	}{
		"syncing broker, 64 callers":        {synced, 64, true},
		"syncing broker, 1000 callers":      {synced, 1000, true},
		"syncing broker, 8 callers":         {synced, 8, false},
		"syncing broker, 1 caller":          {synced, 1, false},
		"broker without sync, 64 callers":   {unsynced, 64, false},
		"broker without sync, 200 callers":  {unsynced, 200, false},
		"broker with a slow disk, 8 in all": {5 * time.Millisecond, 8, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoad(test.single)
			l.run(test.callers, time.Second) // to measure
			share := l.run(test.callers, 20*time.Second)
			if test.grouped && share < 0.95 || !test.grouped && share > 0.05 {
				t.Errorf("%.2f of the messages went in batches", share)
			}
		})
	}
}

func TestPaceFollowsALoadThatChanges(t *testing.T) {
	l := newLoad(synced)
	l.run(64, time.Second)
	if share := l.run(1, time.Second); share > 0.1 {
		t.Errorf("one caller that is left: %.2f of its messages went in batches", share)
	}
	if share := l.run(64, time.Second); share < 0.9 {
		t.Errorf("all are back: %.2f of the messages went in batches", share)
	}
	l.single = unsynced // as another broker
	l.run(64, 3*lastTrial)
	if share := l.run(64, 10*time.Second); share > 0.05 {
		t.Errorf("a faster broker: %.2f of the messages went in batches", share)
	}
}

func TestPaceIsNotMisledByOneHiccup(t *testing.T) {
	l := newLoad(unsynced)
	l.run(64, time.Second)
	l.single = 200 * time.Millisecond
	l.run(64, l.single)
	l.single = unsynced
	if share := l.run(64, time.Second); share > 0 {
		t.Errorf("single messages were slow once: %.2f went in batches", share)
	}
	l = newLoad(synced)
	l.run(64, time.Second)
	l.batch = 200 * time.Millisecond
	l.run(64, l.batch)
	l.batch = perBatch
	if share := l.run(64, time.Second); share < 0.9 {
		t.Errorf("a batch was slow once: %.2f of the messages went in batches", share)
	}
}

// A choice made in a bad moment, here while a neighbour had the processor, must not last.
func TestPaceLeavesBatchesSoonWhereTheyWereABadChoice(t *testing.T) {
	l := newLoad(unsynced)
	l.run(64, time.Second)
	l.single = 100 * time.Microsecond
	if share := l.run(64, 100*time.Millisecond); share < 0.5 {
		t.Fatalf("%.2f of the messages went in batches: this shows nothing", share)
	}
	l.single = unsynced
	l.run(64, firstTrial)
	if share := l.run(64, 10*time.Second); share > 0 {
		t.Errorf("%.2f of the messages went in batches", share)
	}
}
