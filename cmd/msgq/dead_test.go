package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// bury makes the queue with n dead letters, {"n":1} and on.
func bury(t *testing.T, s *harness.Stack, queue string, n int) {
	t.Helper()
	ws := s.Dial(t, nil)
	ws.Send(map[string]any{"type": "subscribe", "id": "q", "topics": []string{"jobs"}, "queue": queue, "max_attempts": 1})
	ws.WaitType("subscribed")
	for i := range n {
		s.Publish(t, "jobs", fmt.Sprintf(`{"n":%d}`, i+1))
		ws.Send(map[string]any{"type": "reject", "id": "q", "tags": []string{ws.WaitType("message").Tag}, "reason": "bell \a", "ref": 1})
		ws.WaitType("ok")
	}
	_ = ws.Conn.Close()
}

func lines[T any](t *testing.T, out string) (all []T) {
	t.Helper()
	for line := range strings.Lines(out) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

func seqs(t *testing.T, r result) (all []uint64) {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	for _, d := range lines[deadRow](t, r.out) {
		all = append(all, d.Seq)
	}
	return all
}

func TestQueuesShowsEachQueueWithItsCounts(t *testing.T) {
	s := start(t)
	if r := command(t, "", "queues"); r.code != 0 || r.out != "" {
		t.Errorf("no queues: %+v", r)
	}
	bury(t, s, "a", 2)
	bury(t, s, "b", 1)
	r := command(t, "", "queues")
	got := lines[queueCounts](t, r.out)
	if r.code != 0 || len(got) != 2 || got[0].Name != "a" || got[0].Dead != 2 || got[0].Ready != 1 || got[1].Name != "b" {
		t.Errorf("%+v", r)
	}
	if r := command(t, "", "queues", "b", "--json"); r.code != 0 || len(lines[queueCounts](t, r.out)) != 1 {
		t.Errorf("%+v", r)
	}
	if r := command(t, "", "queues", "none"); r.code != exitFailed || !strings.Contains(r.err, "not_found") {
		t.Errorf("%+v", r)
	}
}

func TestDeadLettersAreListedRedrivenAndDiscarded(t *testing.T) {
	s := start(t)
	bury(t, s, "q", 5)
	if got := seqs(t, command(t, "", "dead", "list", "q")); !slices.Equal(got, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("listed %v", got)
	}
	if got := seqs(t, command(t, "", "dead", "list", "q", "--filter", "data.n > 1", "-n", "2")); !slices.Equal(got, []uint64{2, 3}) {
		t.Errorf("filtered %v", got)
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"discard", "--seq", "1,2"}, `{"count":2}`},
		{[]string{"discard", "--filter", "data.n == 3", "--yes"}, `{"count":1}`},
		{[]string{"redrive", "--seq", "4"}, `{"count":1}`},
		{[]string{"redrive", "--all"}, `{"count":1}`},
		{[]string{"discard", "--all"}, `{"count":0}`},
	} {
		r := command(t, "", append([]string{"dead", step.args[0], "q"}, step.args[1:]...)...)
		if r.code != 0 || strings.TrimSpace(r.out) != step.want {
			t.Errorf("%q: %+v, want %s", step.args, r, step.want)
		}
	}
	if q := lines[queueCounts](t, command(t, "", "queues", "q").out)[0]; q.Dead != 0 || q.Ready != 2 {
		t.Errorf("the queue has %+v, want the two that were redriven", q)
	}
}

func TestSeqsBeyondOneRequestAreDoneInSeveral(t *testing.T) {
	s := start(t)
	bury(t, s, "q", 2)
	named := []string{"1"}
	for i := range maxSeqs {
		named = append(named, fmt.Sprint(1000+i))
	}
	if r := command(t, "", "dead", "discard", "q", "--seq", strings.Join(append(named, "2"), ",")); strings.TrimSpace(r.out) != `{"count":2}` {
		t.Errorf("%+v", r)
	}
}

func TestTablesAlignAndKeepTheTerminalSafe(t *testing.T) {
	var out lockedBuffer
	s := streams{nil, &out, &out}
	err := (&queuesCommand{}).table(s, []json.RawMessage{
		[]byte(`{"name":"mailer","topics":["a","b.>"],"ready":12,"in_flight":3,"dead":4}`), []byte(`{"name":"x","topics":["c"],"waiting_retry":5}`),
	})
	const want = `NAME    READY  IN FLIGHT  RETRY  DEAD  TOPICS  FILTER
mailer  12     3          0      4     a b.>   
x       0      0          5      0     c       
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%q\nwant\n%q", err, out.String(), want)
	}
	if err := deadTable(s, []json.RawMessage{[]byte(`{"seq":7,"topic":"a","reason":"\u001b]0;evil\u0007 \u009b2J"}`)}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.ContainsAny(got, "\x1b\a\u009b") || !strings.Contains(got, "?]0;evil? ?2J") {
		t.Errorf("%q", got)
	}
}

func TestWrongUseOfQueueCommandsSaysWhatToDo(t *testing.T) {
	start(t)
	for name, test := range map[string]struct {
		args []string
		code int
		err  string
	}{
		"no queue":               {[]string{"dead", "list"}, exitWrongUse, "<queue>"},
		"nothing selected":       {[]string{"dead", "redrive", "q"}, exitWrongUse, "--filter"},
		"two selections":         {[]string{"dead", "discard", "q", "--all", "--seq", "1"}, exitWrongUse, "--seq"},
		"a seq that is none":     {[]string{"dead", "discard", "q", "--seq", "x"}, exitWrongUse, "--seq"},
		"a count below zero":     {[]string{"dead", "list", "q", "--count=-1"}, exitWrongUse, "msgq dead list --help"},
		"no such queue":          {[]string{"dead", "list", "none"}, exitFailed, "not_found"},
		"no such queue to clear": {[]string{"dead", "redrive", "none", "--all"}, exitFailed, "not_found"},
		"a bad filter":           {[]string{"dead", "list", "none", "--filter", "1"}, exitFailed, "not_found"},
		"no service":             {[]string{"queues", "--subscribe-url", "http://127.0.0.1:1"}, exitFailed, "--subscribe-url"},
		"no messages":            {[]string{"bench", "-n", "0"}, exitWrongUse, "--messages 0"},
		"too small":              {[]string{"bench", "--size", "63"}, exitWrongUse, "--size 63"},
		"nobody to publish to":   {[]string{"bench", "--publish-url", "http://127.0.0.1:1"}, exitFailed, "--publish-url"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := command(t, "", test.args...); r.code != test.code || !strings.Contains(r.err, test.err) || r.out != "" {
				t.Errorf("exit %d, %q, out %q; want %d, %q", r.code, r.err, r.out, test.code, test.err)
			}
		})
	}
}

func TestBenchMeasuresWhatItPublishes(t *testing.T) {
	s := start(t)
	ws := s.Dial(t, http.Header{})
	ws.Send(map[string]any{"type": "subscribe", "id": "s", "topics": []string{"bench.*"}})
	ws.WaitType("subscribed")
	r := command(t, "", "bench", "-n", "200", "--size", "64", "--publishers", "4", "--subscribers", "3")
	var report struct {
		Messages         int
		Publish, Deliver map[string]float64
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 || report.Messages != 200 {
		t.Fatalf("%+v: %v", r, err)
	}
	for name, m := range map[string]map[string]float64{"publish": report.Publish, "deliver": report.Deliver} {
		if m["per_second"] <= 0 || m["p50_ms"] <= 0 || m["p99_ms"] < m["p50_ms"] || m["max_ms"] < m["p99_ms"] {
			t.Errorf("%s: %v", name, m)
		}
	}
	for range 200 {
		if f := ws.WaitType("message"); len(f.Data) != 64 {
			t.Fatalf("%d bytes: %s", len(f.Data), f.Data)
		}
	}
	msgqtest.Eventually(t, "all of them are the bench's", func() bool { return command(t, "", "bench", "-n", "1", "--subscribers", "0").code == 0 })
}
