package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestLineOfAFileIsWhatABatchTakes(t *testing.T) {
	s := start(t)
	for name, test := range map[string]struct {
		line string
		want string // in what sub prints; with a !: in the error
	}{
		"a string that is JSON":                   {`{"topic":"a","data":"x","datacontenttype":"application/json; charset=utf-8"}`, `"data":"x"`},
		"a string of a type that ends with +json": {`{"topic":"a","data":"x","datacontenttype":"application/vnd.x+json"}`, `"data":"x"`},
		"a string that is text":                   {`{"topic":"a","data":"x","datacontenttype":"text/plain"}`, `"data":"x"`},
		"base64, headers, an id and a ttl":        {`{"topic":"a","data_base64":"AA==","headers":{"k":"v"},"id":"i","ttl":"1h"}`, `"message_id":"i"`},
		"space before it":                         {` {"topic":"a","data":{"n": 1}}`, `"n"`},
		"no data":                                 {`{"topic":"a"}`, "!data_base64 is expected"},
		"both kinds of data":                      {`{"topic":"a","data":1,"data_base64":"AA=="}`, "!data_base64 is expected"},
		"a member that is unknown":                {`{"topic":"a","data":1,"dely":"1h"}`, `!"dely"`},
		"no id, and said so":                      {`{"topic":"a","data":1,"id":null}`, "!leave it out"},
		"two objects":                             {`{"topic":"a","data":1} {"topic":"a","data":1}`, "!not a JSON object"},
		"an array":                                {`[]`, "!not a JSON object"},
		"nothing in it":                           {`{}`, "!invalid_"},
	} {
		t.Run(name, func(t *testing.T) {
			r := command(t, "\n"+test.line+"\n", "pub", "--ndjson", "-")
			if text, bad := strings.CutPrefix(test.want, "!"); bad {
				if r.code != exitFailed || !strings.Contains(r.err, "standard input, line 2: ") || !strings.Contains(r.err, text) {
					t.Errorf("%+v, want %q", r, text)
				}
				return
			}
			if r.code != 0 || !strings.Contains(r.err, "1 events published") {
				t.Fatalf("%+v", r)
			}
			if got := command(t, "", "sub", "a", "--from", "last:1", "-n", "1"); !strings.Contains(got.out, test.want) {
				t.Errorf("%s, want %s in it", got.out, test.want)
			}
		})
	}
	later := `{"topic":"later","data":1,"delay":"1h"}` + "\n" + `{"topic":"later","data":1,"deliver_at":"2999-01-01T00:00:00Z"}`
	if r := command(t, later, "pub", "--ndjson", "-"); r.code != exitFailed || !strings.Contains(r.err, "line 2: invalid_delay") {
		t.Errorf("a time too far away: %+v", r)
	}
	if list := s.Do(t, http.MethodGet, s.PublishURL+"/v1/delayed?topic=later", ""); strings.Count(string(list.Body), `"deliver_at"`) != 1 {
		t.Errorf("delayed: %s", list.Body)
	}
}

func TestLineIsSentAgainWithItsID(t *testing.T) {
	var sent []string
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		switch len(sent) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			_, _ = io.WriteString(w, `{"results":[{"status":503,"error":{"code":"broker_unavailable","detail":"away"}}]}`)
		default:
			_, _ = io.WriteString(w, `{"results":[{"status":201}]}`)
		}
	}))
	defer busy.Close()
	r := command(t, `{"topic":"a","data":1}`, "pub", "--ndjson", "-", "--publish-url", busy.URL)
	if r.code != 0 || strings.Count(r.err, "trying again") != 1 {
		t.Errorf("%+v", r)
	}
	if len(sent) != 3 || sent[0] != sent[1] || sent[1] != sent[2] || !strings.Contains(sent[0], `"id":"`) {
		t.Errorf("sent %q", sent)
	}
}

func TestPubTakesDataAsItIs(t *testing.T) {
	start(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing, and said so":         {[]string{"a", ""}, `"data":""`},
		"what is no text":              {[]string{"a", "\"\xff\""}, `"datacontenttype":"application/octet-stream"`},
		"a header with a semicolon":    {[]string{"a", "1", "-H", "region=a;b=c", "-H", "k=v"}, `"region":"a;b=c"`},
		"a URL with a slash":           {[]string{"a", "2", "--publish-url", os.Getenv("MSGQ_PUBLISH_URL") + "/"}, `"data":2`},
		"standard input that is empty": {[]string{"a", "-"}, `"data":""`},
	} {
		if r := command(t, "", append([]string{"pub"}, test.args...)...); r.code != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		got := command(t, "", "sub", "a", "--from", "last:1", "-n", "1", "--subscribe-url", os.Getenv("MSGQ_SUBSCRIBE_URL")+"/")
		if !strings.Contains(got.out, test.want) {
			t.Errorf("%s: %+v, want %s in it", name, got, test.want)
		}
	}
}

func TestPubRefusesWhatCanNeverBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		err  string
	}{
		"a URL without a scheme":     {[]string{"a", "1", "--publish-url", "127.0.0.1:8080"}, "--publish-url"},
		"another scheme":             {[]string{"a", "1", "--publish-url", "htp://127.0.0.1:8080"}, "http://127.0.0.1:8080"},
		"a URL without a host":       {[]string{"a", "1", "--publish-url", "http://:8080"}, "--publish-url"},
		"a header's name":            {[]string{"a", "1", "-H", "no name=1"}, `"no name"`},
		"a header's value":           {[]string{"a", "1", "-H", "k=a\nb"}, "Msgq-Header-K"},
		"a topic beside a file":      {[]string{"a", "--ndjson", "-"}, "leave TOPIC"},
		"data, too":                  {[]string{"a", "1", "--ndjson", "-"}, "leave TOPIC"},
		"an id for all lines":        {[]string{"--ndjson", "-", "--id", "1"}, "leave TOPIC"},
		"a ttl for all lines":        {[]string{"--ndjson", "-", "--ttl", "1h"}, "leave TOPIC"},
		"a media type for all lines": {[]string{"--ndjson", "-", "--type", "text/plain"}, "leave TOPIC"},
		"a header for all lines":     {[]string{"--ndjson", "-", "-H", "k=v"}, "leave TOPIC"},
	} {
		r := command(t, "", append([]string{"pub"}, test.args...)...)
		if r.code != exitWrongUse || !strings.Contains(r.err, test.err) {
			t.Errorf("%s: %+v, want %q", name, r, test.err)
		}
	}
}

func TestPubEndsWhileNothingIsTyped(t *testing.T) {
	for _, args := range [][]string{{"pub", "a"}, {"pub", "a", "-"}, {"pub", "--ndjson", "-"}} {
		in, typed := io.Pipe()
		var errs lockedBuffer
		ctx, interrupt := context.WithCancel(msgqtest.Context(t))
		done := make(chan int)
		go func() { done <- run(ctx, args, streams{in, io.Discard, &errs}) }()
		if _, err := typed.Write([]byte(" ")); err != nil { // so it reads
			t.Fatal(err)
		}
		interrupt()
		if code := msgqtest.Receive(t, done, "end of pub"); code != exitInterrupted {
			t.Errorf("%q: exit %d: %s", args, code, errs.String())
		}
		_ = typed.Close() // ends the read that was left behind
	}
}

func TestSubSaysWhatItHasNotSeen(t *testing.T) {
	start(t)
	if r := command(t, "", "sub", "a", "--timeout", "100ms"); r.code != 0 {
		t.Errorf("a time without a count: %+v", r)
	}
	ctx, interrupt := context.WithCancel(msgqtest.Context(t))
	var out, errs lockedBuffer
	done := make(chan int)
	go func() { done <- run(ctx, []string{"sub", "a", "--from", "all", "-n", "2"}, streams{nil, &out, &errs}) }()
	command(t, "", "pub", "a", "1")
	msgqtest.Eventually(t, "one event", func() bool { return out.String() != "" })
	interrupt()
	if code := msgqtest.Receive(t, done, "end of sub"); code != exitInterrupted || !strings.Contains(errs.String(), "1 of 2 events") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func TestFileIsReadToItsEnd(t *testing.T) {
	start(t)
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, bytes.Repeat([]byte(`{"topic":"a","data":1}`+"\n"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := command(t, "", "pub", "--ndjson", file); r.code != 0 || !strings.Contains(r.err, "100 events published") {
		t.Errorf("%+v", r)
	}
}

func FuzzWithID(f *testing.F) {
	for _, seed := range []string{`{"topic":"a","data":{"n":1}}`, ` {"id":"x"}`, `{}`, `{"ID":1}`, `null`, `[{}]`, "{\"a\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		with, err := withID(line)
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if err := json.Unmarshal(with, &after); err != nil {
			t.Fatalf("%q became %q: %v", line, with, err)
		}
		_ = json.Unmarshal(line, &before)
		if len(before) > 0 && after["id"] == nil {
			t.Errorf("%q became %q: without an id it would be stored twice when it is sent again", line, with)
		}
		for name, value := range before {
			if !bytes.Equal(after[name], value) {
				t.Errorf("%q became %q", line, with)
			}
		}
	})
}
