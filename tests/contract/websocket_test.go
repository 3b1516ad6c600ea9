package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestFilterChoosesMessages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	for id, filter := range map[string]string{
		"number": `data.n > 3`, "text": `data.action == "opened"`, "header": `headers["region"] in ["eu", "us"]`,
		"topic": `topic.startsWith("github.")`, "has": `has(data.user.name)`,
	} {
		subscribe(t, ws, id, object{"topics": []string{">"}, "filter": filter})
	}
	expect := map[string]harness.Receipt{
		"number": s.Publish(t, "a", `{"n": 3.5}`),
		"text":   s.Publish(t, "a", `{"n": "four", "action": "opened"}`),
		"header": s.Publish(t, "a", `[1, 2]`, "Msgq-Header-Region: us"),
		"topic":  s.Publish(t, "github.push", `null`),
		"has":    s.Publish(t, "a", `{"user": {"name": ""}}`),
	}
	for range len(expect) {
		f := ws.Next()
		if f.Type != "message" || f.Seq != expect[f.ID].Seq {
			t.Errorf("got %s, want one message for each filter: %+v", f.Raw, expect)
		}
	}
	ws.Send(object{"type": "ping"})
	if f := ws.Next(); f.Type != "pong" {
		t.Errorf("got %s, want nothing more", f.Raw)
	}
}

func TestFiltersThatCannotBeEvaluatedAreCounted(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "live", object{"topics": []string{"a"}, "filter": "data.n > 3"})
	subscribe(t, ws, "queue", object{"topics": []string{"a"}, "filter": "data.n > 3", "queue": "q"})
	s.Publish(t, "a", `{"n": 1}`) // which only does not match
	for range 2 {
		s.Publish(t, "a", `{"m": 1}`)
	}
	msgqtest.Eventually(t, "two failures of both", func() bool { return metric(t, s, "msgq_filter_failures_total") == 4 })
}

func TestSeveralSubscriptionsOnOneConnectionEachSeeTheirMessages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "one", object{"topics": []string{"a.*", "a.b", ">"}}) // once, though three patterns match
	subscribe(t, ws, "two", object{"topics": []string{"a.b"}})
	both := s.Publish(t, "a.b", `1`)
	got := map[string]harness.Frame{}
	for range 2 {
		f := ws.WaitType("message")
		got[f.ID] = f
	}
	if got["one"].Seq != both.Seq || got["two"].Seq != both.Seq {
		t.Errorf("got %v, want message %d once for each", got, both.Seq)
	}
	message(t, ws, "one", s.Publish(t, "c", `2`))

	ws.Send(object{"type": "unsubscribe", "id": "one", "ref": "u"})
	if f := ws.Next(); f.Type != "ok" || string(f.Ref) != `"u"` {
		t.Errorf("got %s, want ok", f.Raw)
	}
	message(t, ws, "two", s.Publish(t, "a.b", `3`))
	subscribe(t, ws, "one", object{"topics": []string{"d"}}) // the name is free again
	message(t, ws, "one", s.Publish(t, "d", `4`))
}

func TestBadRequestsAreAnsweredAndTheConnectionGoesOn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "live", object{"topics": []string{"live"}})
	sub := func(fields string) string { return `{"type":"subscribe","id":"s","ref":7,` + fields + `}` }
	long := strings.Repeat("x", 65)
	for name, test := range map[string]struct{ send, code string }{
		"an id in use":              {`{"type":"subscribe","ref":7,"id":"live","topics":[">"]}`, "duplicate_id"},
		"an unknown type":           {`{"type":"dance","ref":7}`, "unknown_type"},
		"no type":                   {`{"ref":7}`, "unknown_type"},
		"no topics":                 {sub(`"topics":[]`), "invalid_topic"},
		"17 topics":                 {sub(`"topics":["a"` + strings.Repeat(`,"a"`, 16) + `]`), "invalid_topic"},
		"an empty token":            {sub(`"topics":["a..b"]`), "invalid_topic"},
		"> in the middle":           {sub(`"topics":["a.>.b"]`), "invalid_topic"},
		"a topic of the broker":     {sub(`"topics":["$JS.API.>"]`), "invalid_topic"},
		"topics that are no list":   {sub(`"topics":"a"`), "bad_request"},
		"a filter cut off":          {sub(`"topics":["a"],"filter":"data.n =="`), "invalid_filter"},
		"a filter that is a number": {sub(`"topics":["a"],"filter":"1 + 1"`), "invalid_filter"},
		"a filter of an unknown":    {sub(`"topics":["a"],"filter":"nothing == 1"`), "invalid_filter"},
		"a filter over 2 KiB":       {sub(`"topics":["a"],"filter":"true` + strings.Repeat(" ", 2045) + `"`), "invalid_filter"},
		"an unknown from":           {sub(`"topics":["a"],"from":"yesterday"`), "invalid_from"},
		"an empty from":             {sub(`"topics":["a"],"from":{}`), "invalid_from"},
		"two froms":                 {sub(`"topics":["a"],"from":{"last":1,"after":1}`), "invalid_from"},
		"a negative after":          {sub(`"topics":["a"],"from":{"after":-1}`), "invalid_from"},
		"a time that is none":       {sub(`"topics":["a"],"from":{"time":"noon"}`), "invalid_from"},
		"last 0":                    {sub(`"topics":["a"],"from":{"last":0}`), "invalid_from"},
		"last 10001":                {sub(`"topics":["a"],"from":{"last":10001}`), "invalid_from"},
		"an unknown overflow":       {sub(`"topics":["a"],"overflow":"burst"`), "bad_request"},
		"an id too long":            {`{"type":"subscribe","ref":7,"topics":["a"],"id":"` + long + `"}`, "bad_request"},
		"no id":                     {`{"type":"subscribe","ref":7,"topics":["a"]}`, "bad_request"},
		"unsubscribe of nothing":    {`{"type":"unsubscribe","ref":7,"id":"nobody"}`, "unknown_id"},
		"ack of nothing":            {`{"type":"ack","ref":7,"id":"nobody","tags":["1"]}`, "unknown_id"},
		"ack of a live one":         {`{"type":"ack","ref":7,"id":"live","tags":["1"]}`, "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			ws.SendText(test.send)
			checkError(t, ws.Next(), test.code, "7")
		})
	}
	message(t, ws, "live", s.Publish(t, "live", `1`))
}

func TestBadFilterIsRefusedWithLineAndColumn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	ws.Send(object{"type": "subscribe", "id": "s", "topics": []string{"a"}, "filter": "data.n > 1 &&\n  nothing == 2"})
	f := ws.Next()
	checkError(t, f, "invalid_filter", "")
	if !strings.Contains(f.Message, "line 2") && !strings.Contains(f.Message, "2:") || !strings.Contains(f.Message, "nothing") {
		t.Errorf("message %q names neither line 2 nor the unknown name", f.Message)
	}
}

func TestPingIsAnsweredWithItsRef(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	for _, ref := range []string{`1`, `-2.5`, `"a"`, `"\u00e9"`, `12345678901234567890`} {
		ws.SendText(`{"type":"ping","ref":` + ref + `,"unknown":{"field":true}}`)
		if f := ws.Next(); f.Type != "pong" || string(f.Ref) != ref {
			t.Errorf("got %s, want a pong with ref %s", f.Raw, ref)
		}
	}
	ws.SendText(`{"type":"ping"}`)
	if f := ws.Next(); f.Type != "pong" || f.Ref != nil {
		t.Errorf("got %s, want a pong without ref", f.Raw)
	}
	for _, ref := range []string{`{}`, `[1]`, `true`, `"` + strings.Repeat("x", 60<<10) + `"`} {
		ws.SendText(`{"type":"ping","ref":` + ref + `}`)
		checkError(t, ws.Next(), "bad_request", "")
	}
}

func TestOneFrameMayHoldSeveralObjects(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	ws.SendText(`{"type":"ping","ref":1}` + "\n\n" + `{"type":"subscribe","id":"s","topics":["a"]}` + "\r\n" + `{"type":"dance","ref":2}` + "\n" + `{"type":"ping","ref":3}` + "\n")
	for _, want := range []string{`"pong" 1`, `"subscribed" `, `"error" 2`, `"pong" 3`} {
		if f := ws.Next(); fmt.Sprintf("%q %s", f.Type, f.Ref) != want {
			t.Errorf("got %s, want %s", f.Raw, want)
		}
	}
	const n = 500 // pongs faster than frames: whatever shares a frame is taken apart by the newlines
	ws.SendText(strings.Repeat(`{"type":"ping","ref":4}`+"\n", n))
	for range n {
		if f := ws.Next(); f.Type != "pong" {
			t.Fatalf("got %s, want a pong", f.Raw)
		}
	}
}

func TestPositionTellsOfMessagesThatDidNotMatch(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"a"}})
	sent := s.Publish(t, "b", `1`)
	if f := ws.Next(); f.Type != "position" || f.ID != "s" || f.Seq != sent.Seq { // after 10 s
		t.Errorf("got %s, want the position %d", f.Raw, sent.Seq)
	}
}

func TestDataLooksByItsContentType(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	for name, test := range map[string]struct{ contentType, data, want string }{
		"JSON is compacted":          {"application/json", "{\n  \"a\" : [1, 2],\r\n\t\"b\":\"x y\"\n}\n", `"data":{"a":[1,2],"b":"x y"}`},
		"JSON keeps numbers":         {"application/json", `[12345678901234567890, 1.0, 1e2]`, `"data":[12345678901234567890,1.0,1e2]`},
		"JSON keeps text":            {"application/json", `"<a href=\"&\">\u2028é"`, `"data":"<a href=\"&\">\u2028é"`},
		"JSON may be null":           {"application/json", `null`, `"data":null`},
		"a suffix of +json is JSON":  {"application/vnd.github+json; charset=utf-8", `{"a": 1}`, `"data":{"a":1}`},
		"+json that is none":         {"application/vnd.github+json", `{"a"`, `"data_base64":"eyJhIg=="`},
		"text is a string":           {"text/plain; charset=utf-8", "a\n\"b\" é", `"data":"a\n\"b\" é"`},
		"empty text":                 {"text/plain", "", `"data":""`},
		"text that is no UTF-8":      {"text/plain", "a\xff", `"data_base64":"Yf8="`},
		"anything else":              {"image/png", "\x00\x01", `"data_base64":"AAE="`},
		"anything else, and nothing": {"application/octet-stream", "", `"data_base64":""`},
		"a content type that breaks": {"a/b/c; =", "x", `"data_base64":"eA=="`},
	} {
		t.Run(name, func(t *testing.T) {
			f := message(t, ws, "s", s.Publish(t, "a", test.data, "Content-Type: "+test.contentType))
			if !strings.Contains(f.Raw, test.want) || f.DataContentType != test.contentType {
				t.Errorf("got %s, want %s in it", f.Raw, test.want)
			}
			if f.Headers != nil || f.Tag != "" || f.Attempt != 0 {
				t.Errorf("got %s, want neither headers, tag nor attempt", f.Raw)
			}
		})
	}
	r := s.Do(t, http.MethodPost, messagesURL(s, "a"), "x") // says nothing of its type
	if f := ws.Next(); r.Status != http.StatusCreated || f.DataContentType != "application/octet-stream" || f.DataBase64 == nil || *f.DataBase64 != "eA==" {
		t.Errorf("got %s, want application/octet-stream", f.Raw)
	}
}

func TestMessagesThatComeTogetherShareFrames(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{"a"}})
	const n = 1000
	s.PublishMany(t, n, "a")
	frames, next := 0, 0
	for ; next < n; frames++ {
		_ = ws.Conn.SetReadDeadline(time.Now().Add(msgqtest.Timeout))
		_, frame, err := ws.Conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(frame), "\n") {
			if want := fmt.Sprintf(`"data":{"n":%d}}`, next); !strings.HasSuffix(line, want) {
				t.Fatalf("got %s, want %s", line, want)
			}
			next++
		}
	}
	if frames > n/2 {
		t.Errorf("%d messages came in %d frames", n, frames)
	}
}
