package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

const demoData = "../../tests/testdata/github-events.ndjson"

// lockedBuffer is an output that a test reads while a command writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

func command(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs lockedBuffer
	code := run(msgqtest.Context(t), args, streams{strings.NewReader(stdin), &out, &errs})
	return result{code, out.String(), errs.String()}
}

func start(t *testing.T) (s *harness.Stack) {
	t.Helper()
	s = harness.Start(t, harness.Options{})
	t.Setenv("MSGQ_PUBLISH_URL", s.PublishURL)
	t.Setenv("MSGQ_SUBSCRIBE_URL", s.SubscribeURL)
	return s
}

func TestDemoDataComesThroughInOrderOnceEach(t *testing.T) {
	start(t)
	var want, opened []string
	file, err := os.ReadFile(demoData)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		var e struct {
			Topic string
			Data  json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		want = append(want, e.Topic+" "+compact(t, e.Data))
		if e.Topic == "github.issues.opened" {
			opened = append(opened, compact(t, e.Data))
		}
	}
	if r := command(t, "", "pub", "--ndjson", demoData); r.code != 0 {
		t.Fatalf("pub: %+v", r)
	}

	r := command(t, "", "sub", "github.>", "--from", "all", "-n", strconv.Itoa(len(want)))
	if r.code != 0 {
		t.Fatalf("sub: %+v", r)
	}
	for i, m := range messages(t, r.out) {
		if got := m.Topic + " " + compact(t, m.Data); got != want[i] {
			t.Fatalf("event %d is\n%.200s\nwant\n%.200s", i, got, want[i])
		}
	}

	r = command(t, "", "sub", "github.issues.*", "--filter", `data.action == "opened"`, "--from", "all", "-n", strconv.Itoa(len(opened)))
	got := messages(t, r.out)
	if len(opened) == 0 || len(got) != len(opened) {
		t.Fatalf("%d opened issues, want %d: %+v", len(got), len(opened), r.err)
	}
	for i, m := range got {
		if compact(t, m.Data) != opened[i] {
			t.Errorf("issue %d is another one", i)
		}
	}
}

func TestSubFollowsOverARestartOfTheBroker(t *testing.T) {
	s := start(t)
	var out, errs lockedBuffer
	done := make(chan int)
	go func() { done <- run(t.Context(), []string{"sub", "a.>", "-n", "2"}, streams{nil, &out, &errs}) }()
	msgqtest.Eventually(t, "the first event", func() bool {
		s.Publish(t, "a.ping", `0`)
		return out.String() != ""
	})
	s.Broker.Stop()
	s.Broker.Start()
	s.WaitReady(t)
	s.Publish(t, "a.after", `1`)
	if code := msgqtest.Receive(t, done, "end of sub"); code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestQueueWorkerAcknowledgesWhatItPrints(t *testing.T) {
	s := start(t)
	create := command(t, "", "sub", "jobs", "--queue", "q", "-n", "1", "--timeout", "100ms") // creates the queue
	if create.code != exitFailed || !strings.Contains(create.err, "0 of 1") {
		t.Fatalf("%+v", create)
	}
	for range 3 {
		s.Publish(t, "jobs", `1`)
	}
	if r := command(t, "", "sub", "jobs", "--queue", "q", "-n", "2"); r.code != 0 || len(messages(t, r.out)) != 2 {
		t.Fatalf("%+v", r)
	}
	r := command(t, "", "sub", "jobs", "--queue", "q", "-n", "1")
	if got := messages(t, r.out); len(got) != 1 || got[0].Seq != 3 {
		t.Errorf("the third job is missing: %+v", r)
	}
}

func TestPubTakesDataFromArgumentAndStandardInput(t *testing.T) {
	start(t)
	for name, test := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"an argument":    {"", []string{"a", `{"n":1}`}, `"application/json"`},
		"a dash":         {"hello", []string{"a", "-"}, `"text/plain; charset=utf-8"`},
		"nothing":        {"hello", []string{"a"}, `"text/plain; charset=utf-8"`},
		"a type and ttl": {"<a/>", []string{"a", "--type", "application/xml", "--ttl", "1h", "-H", "k=v"}, `"application/xml"`},
	} {
		r := command(t, test.stdin, append([]string{"pub"}, test.args...)...)
		var receipt struct{ Seq uint64 }
		if err := json.Unmarshal([]byte(r.out), &receipt); err != nil || r.code != 0 {
			t.Fatalf("%s: %+v", name, r)
		}
		if got := command(t, "", "sub", "a", "--from", "last:1", "-n", "1"); !strings.Contains(got.out, test.want) {
			t.Errorf("%s: %s, want %s in it", name, got.out, test.want)
		}
	}
}

func TestWhatGoesWrongSaysWhatToDo(t *testing.T) {
	start(t)
	bad := filepath.Join(t.TempDir(), "bad.ndjson")
	if err := os.WriteFile(bad, []byte("{\"topic\":\"a\",\"data\":1}\n{\"topic\":\"a b\",\"data\":2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		err  string
	}{
		"unknown command":       {[]string{"dance"}, exitWrongUse, "msgq --help"},
		"unknown flag":          {[]string{"pub", "--loud"}, exitWrongUse, "--loud"},
		"no topic":              {[]string{"pub"}, exitWrongUse, "TOPIC"},
		"fewer than no events":  {[]string{"sub", "--count=-1"}, exitWrongUse, "--count"},
		"less than no time":     {[]string{"sub", "--timeout=-1s"}, exitWrongUse, "--timeout"},
		"a from that is none":   {[]string{"sub", ">", "--from", "yesterday"}, exitWrongUse, "last:N"},
		"a topic that is none":  {[]string{"pub", "a..b", "1"}, exitFailed, "token 2 is empty"},
		"a filter that is none": {[]string{"sub", ">", "--filter", "data.x = 1"}, exitFailed, "column 8"},
		"a bad line":            {[]string{"pub", "--ndjson", bad}, exitFailed, "line 2: invalid_topic"},
		"no service":            {[]string{"sub", ">", "--subscribe-url", "http://127.0.0.1:1"}, exitFailed, "--subscribe-url"},
		"a port that is taken":  {[]string{"up", "--publish-addr", strings.TrimPrefix(os.Getenv("MSGQ_PUBLISH_URL"), "http://")}, exitFailed, "another program"},
	} {
		t.Run(name, func(t *testing.T) {
			r := command(t, "", test.args...)
			if r.code != test.code || !strings.Contains(r.err, test.err) {
				t.Errorf("exit %d, %q; want %d, %q", r.code, r.err, test.code, test.err)
			}
		})
	}
}

func TestUpRunsEverythingInOneProcess(t *testing.T) {
	t.Setenv("MSGQ_LOG_LEVEL", "error")
	var errs lockedBuffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{
			"up", "--data", t.TempDir(), "--broker-port", "0", "--publish-addr", "127.0.0.1:0", "--subscribe-addr", "127.0.0.1:0",
		}, streams{nil, &errs, &errs})
	}()
	msgqtest.Eventually(t, "the addresses", func() bool { return strings.Contains(errs.String(), "broker ") })
	url := func(name string) string {
		_, rest, _ := strings.Cut(errs.String(), name)
		return "http://" + strings.SplitN(strings.SplitN(strings.TrimSpace(rest), "://", 2)[1], "/", 2)[0]
	}
	t.Setenv("MSGQ_PUBLISH_URL", url("publish"))
	t.Setenv("MSGQ_SUBSCRIBE_URL", url("dashboard"))
	if r := command(t, "", "pub", "a", "1"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if r := command(t, "", "sub", "a", "--from", "all", "-n", "1"); r.code != 0 || len(messages(t, r.out)) != 1 {
		t.Fatalf("%+v", r)
	}
	stop()
	if code := msgqtest.Receive(t, done, "end of up"); code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// message is one line of sub.
type message struct {
	Seq   uint64
	Topic string
	Data  json.RawMessage
}

func messages(t *testing.T, out string) []message {
	t.Helper()
	var all []message
	for line := range strings.Lines(out) {
		var m message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
