package msgq_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLiveFiltersAreSharedAndCapped(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(func(cfg *msgq.Config) { cfg.MaxFilters = 2 })
	open := func(text string) (*msgq.LiveSubscription, error) {
		return c.Live(t.Context(), msgq.Live{Topics: []string{">"}, Filter: text})
	}
	var subs []*msgq.LiveSubscription
	for i := range 10 {
		sub, err := open(fmt.Sprintf("data.n == %d", i%2))
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	if n := c.Filters(); n != 2 {
		t.Errorf("%d filters, want 2", n)
	}
	if _, err := open("data.n == 3"); !errors.Is(err, msgq.ErrTooManyFilters) {
		t.Errorf("error %v, want %v", err, msgq.ErrTooManyFilters)
	}
	_, err := open("data.n ==")
	if _, ok := errors.AsType[*filter.Error](err); !ok && !errors.Is(err, msgq.ErrTooManyFilters) {
		t.Errorf("error %v", err)
	}
	for i, sub := range subs {
		if i != 1 {
			sub.Close()
			sub.Close()
		}
	}
	if n := c.Filters(); n != 1 {
		t.Errorf("%d filters, want the one in use", n)
	}
	if _, err := open("data.n == 3"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	subs[1].Close()
}

func TestLiveFiltersThatComeLaterSeeOlderMessages(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	const n = 5000 // more than there are verdicts kept
	b := newRawStream(t, s.URL)
	for first := 0; first < n; first += 500 {
		var msgs []*nats.Msg
		for i := first; i < first+500; i++ {
			msgs = append(msgs, &nats.Msg{Subject: "events.t.a", Data: fmt.Appendf(nil, `{"n":%d}`, i%3),
				Header: nats.Header{"Msgq-Id": {fmt.Sprint(i)}, "Msgq-Content-Type": {"application/json"}}})
		}
		if _, err := jetstreamext.PublishMsgBatch(t.Context(), b.js, msgs); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 2 {
		for k := range 3 {
			sub, err := c.Live(t.Context(), msgq.Live{Topics: []string{"a"}, Filter: fmt.Sprintf("data.n == %d", k), From: msgq.FromAll()})
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for m, err := range sub.All(msgqtest.Context(t)) {
				if err != nil {
					t.Fatal(err)
				}
				if want := fmt.Sprint(3*seen + k); m.ID != want {
					t.Fatalf("round %d, filter %d: message %s, want %s", round, k, m.ID, want)
				}
				seen++
				if 3*seen+k >= n {
					break
				}
			}
			sub.Close()
		}
	}
}
