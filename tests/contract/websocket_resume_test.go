package contract_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// Each way to say where a live subscription starts means the same over WebSocket and for events.
func TestLiveSubscriptionStartsWhereItIsAsked(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	var sent []harness.Receipt
	for i := range 6 {
		sent = append(sent, s.Publish(t, []string{"a.x", "b.x"}[i%2], fmt.Sprint(i)))
	}
	probe := s.Dial(t, nil)
	epoch := probe.Welcome.Epoch
	subscribe(t, probe, "p", object{"topics": []string{">"}, "from": "all"})
	var times []time.Time
	for _, m := range sent {
		times = append(times, message(t, probe, "p", m).Time)
	}
	tests := map[string]struct {
		from           any
		topics, filter string
		want           []int // indexes of sent
		position       uint64
		recovered      bool
	}{
		"nothing said":                {nil, ">", "", nil, 6, true},
		"new":                         {"new", ">", "", nil, 6, true},
		"all":                         {"all", ">", "", []int{0, 1, 2, 3, 4, 5}, 0, true},
		"all of a pattern":            {"all", "b.*", "", []int{1, 3, 5}, 0, true},
		"all that match":              {"all", ">", "data > 3", []int{4, 5}, 0, true},
		"after 0":                     {object{"after": 0}, ">", "", []int{0, 1, 2, 3, 4, 5}, 0, true},
		"after the third":             {object{"after": 3}, ">", "", []int{3, 4, 5}, 3, true},
		"after the fourth, and epoch": {object{"after": 4, "epoch": epoch}, ">", "", []int{4, 5}, 4, true},
		"after the fourth, filtered":  {object{"after": 4, "epoch": epoch}, "a.*", "data > 1", []int{4}, 4, true},
		"after the last":              {object{"after": 6, "epoch": epoch}, ">", "", nil, 6, true},
		"after of another epoch":      {object{"after": 4, "epoch": "other"}, "a.x", "", []int{0, 2, 4}, 0, false},
		"beyond, of another epoch":    {object{"after": 99, "epoch": "other"}, "a.x", "", []int{0, 2, 4}, 0, false},
		"the time of the third":       {object{"time": times[2]}, ">", "", []int{2, 3, 4, 5}, 2, true},
		"the same in another zone":    {object{"time": times[2].In(time.FixedZone("", 5*3600))}, ">", "", []int{2, 3, 4, 5}, 2, true},
		"just behind the third":       {object{"time": times[2].Add(1)}, ">", "", []int{3, 4, 5}, 3, true},
		"an hour ago":                 {object{"time": time.Now().Add(-time.Hour)}, ">", "", []int{0, 1, 2, 3, 4, 5}, 0, true},
		"the last 2":                  {object{"last": 2}, ">", "", []int{4, 5}, 4, true},
		"the last 2 of a pattern":     {object{"last": 2}, "a.>", "", []int{2, 4}, 2, true},
		"the last 2, then filtered":   {object{"last": 2}, "a.>", "data < 4", []int{2}, 2, true},
		"the last 10000, of fewer":    {object{"last": 10_000}, "b.>", "", []int{1, 3, 5}, 1, true},
	}
	sockets, streams := make(map[string]*harness.Socket), make(map[string]*harness.Events)
	for name, test := range tests {
		ws := s.Dial(t, nil)
		fields := object{"topics": []string{test.topics, "end"}}
		query := "topics=end&topics=" + url.QueryEscape(test.topics)
		if test.from != nil {
			fields["from"] = test.from
			text, _ := json.Marshal(test.from)
			query += "&from=" + url.QueryEscape(string(text))
		}
		if test.filter != "" {
			fields["filter"] = `topic == "end" || ` + test.filter
			query += "&filter=" + url.QueryEscape(fmt.Sprint(fields["filter"]))
		}
		f := subscribe(t, ws, "s", fields)
		if *f.Recovered != test.recovered || f.Seq != test.position || f.Epoch != epoch {
			t.Errorf("%s: %s, want seq %d and recovered %v", name, f.Raw, test.position, test.recovered)
		}
		sockets[name] = ws
		streams[name] = s.Events(t, query)
		place(t, streams[name], map[bool]string{true: "position", false: "reset"}[test.recovered], epoch, test.position)
	}
	end := s.Publish(t, "end", `0`)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, i := range test.want {
				message(t, sockets[name], "s", sent[i])
				event(t, streams[name], epoch, sent[i])
			}
			message(t, sockets[name], "s", end)
			event(t, streams[name], epoch, end)
		})
	}
}

// A position that another instance gave may lie beyond what this one, or the replica that it asks, has seen yet.
func TestPositionBeyondTheEndWaitsAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	epoch := ws.Welcome.Epoch
	f := subscribe(t, ws, "s", object{"topics": []string{">"}, "from": object{"after": 2, "epoch": epoch}})
	if !*f.Recovered || f.Seq != 2 {
		t.Errorf("%s, want it to wait behind 2", f.Raw)
	}
	events := s.Events(t, "topics=%3E", "Last-Event-ID: "+epoch+":2")
	place(t, events, "position", epoch, 2)
	s.Publish(t, "a", `1`)
	s.Publish(t, "a", `2`)
	third := s.Publish(t, "a", `3`)
	message(t, ws, "s", third)
	event(t, events, epoch, third)
}

func TestAnInstanceThatHasJustStartedResumesWhatAnotherGave(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	var sent []harness.Receipt
	for i := range 5 {
		sent = append(sent, s.Publish(t, "a", fmt.Sprint(i)))
		message(t, ws, "s", sent[i])
	}
	s.StartSubscribe(t) // it has nothing in memory, and does not wait until it is ready
	var again *harness.Socket
	msgqtest.Eventually(t, "the new instance knows the epoch", func() bool {
		again = s.Dial(t, nil)
		return again.Welcome.Epoch == ws.Welcome.Epoch
	})
	f := subscribe(t, again, "s", object{"topics": []string{">"}, "from": object{"after": 3, "epoch": ws.Welcome.Epoch}})
	if !*f.Recovered || f.Seq != 3 {
		t.Errorf("%s, want it to go on behind 3", f.Raw)
	}
	for _, m := range append(sent[3:], s.Publish(t, "a", `5`)) {
		message(t, again, "s", m)
	}
}

func TestSubscriptionIsToldOfMessagesThatAreGone(t *testing.T) {
	t.Parallel()
	small := []string{"--max-bytes=1MiB"}
	s := harness.Start(t, harness.Options{PublishFlags: small, SubscribeFlags: small})
	start := time.Now().Add(-time.Minute)
	var last harness.Receipt
	for range 15 {
		last = s.Publish(t, "a", `"`+strings.Repeat("x", 100<<10)+`"`)
	}
	s.StartSubscribe(t, small...) // the first instance still has in memory what the stream forgot
	ws := s.Dial(t, nil)
	for name, from := range map[string]object{"after": {"after": 1, "epoch": ws.Welcome.Epoch}, "time": {"time": start}} {
		f := subscribe(t, ws, name, object{"topics": []string{">"}, "from": from})
		if *f.Recovered || f.Seq < 2 || f.Seq >= last.Seq {
			t.Errorf("%s: %s, want recovered false and the oldest message held", name, f.Raw)
		}
		if m := ws.WaitType("message"); m.Seq != f.Seq+1 {
			t.Errorf("%s: goes on with %d after %d", name, m.Seq, f.Seq)
		}
		ws.Send(object{"type": "unsubscribe", "id": name, "ref": 1})
		ws.WaitType("ok")
	}
}

// Who reads so slowly that the stream forgets what it has not seen is told in the midst of it.
func TestClientThatRetentionOvertakesIsTold(t *testing.T) {
	t.Parallel()
	small := []string{"--max-bytes=3MiB"}
	s := harness.Start(t, harness.Options{PublishFlags: small, SubscribeFlags: small})
	ws := s.DialNarrow(t)
	subscribe(t, ws, "slow", object{"topics": []string{"flood"}})
	events := s.EventsNarrow(t, "topics=flood")
	events.Next()
	sent := flood(t, s)
	last := sent[floodOf-1].Seq
	probe := s.Dial(t, nil)
	msgqtest.Eventually(t, "the service forgets what the stream has forgotten", func() bool {
		f := subscribe(t, probe, "p", object{"topics": []string{"other"}, "from": object{"after": 1, "epoch": ws.Welcome.Epoch}})
		probe.Send(object{"type": "unsubscribe", "id": "p", "ref": 1})
		probe.WaitType("ok")
		return !*f.Recovered
	})
	seq := uint64(0)
	var told *harness.Frame
	for seq < last {
		f := ws.Next()
		switch {
		case f.Type == "subscribed" && !*f.Recovered && f.ID == "slow" && f.Epoch == ws.Welcome.Epoch && f.Ref == nil:
			told = &f
		case f.Type == "position" && f.Seq == seq:
		case f.Type != "message" || f.Seq != seq+1:
			t.Fatalf("got %.200s after %d, want the next message or to be told", f.Raw, seq)
		}
		seq = f.Seq
	}
	if told == nil {
		t.Error("the client was told nothing")
	}
	seq, told = 0, nil
	for seq < last {
		e := events.Next()
		switch {
		case e.Kind == "reset" && e.Epoch == ws.Welcome.Epoch:
			told = &e.Frame
		case e.Kind == "position" && e.Seq == seq:
		case e.Kind != "message" || e.Seq != seq+1:
			t.Fatalf("got %.200s after %d, want the next event or a reset", e.Raw, seq)
		}
		seq = e.Seq
	}
	if told == nil {
		t.Error("the reader of events was told nothing")
	}
}
