package contract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// The acts of the contract's table, each with a token that just allows it and one that just does not.
func TestTokenAllowsWhatItsClaimsSay(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	admin := harness.Bearer(t, object{"admin": true, "publish": []string{">"}, "subscribe": []string{">"}, "queues": []string{"*"}})
	s.Publish(t, "orders.eu.new", `{"n":1}`, admin)
	for _, q := range []string{"mine", "other"} {
		body := `{"topics":["orders.>"],"from":"all"}`
		if r := s.Do(t, http.MethodPut, queueURL(s, q), body, admin); r.Status != http.StatusCreated {
			t.Fatalf("queue %s: %d %s", q, r.Status, r.Body)
		}
	}
	publish := func(patterns ...string) object { return object{"publish": patterns} }
	sees := func(patterns ...string) object { return object{"subscribe": patterns} }
	works := func(names ...string) object { return object{"queues": names} }
	const tag = `{"tags":["x"]}`
	sub, pub := s.SubscribeURL, s.PublishURL
	for _, test := range []struct {
		method, url, body string
		enough, less      object
		status            int // with enough
	}{
		{"POST", pub + "/v1/topics/orders.eu.new/messages", "{}", publish("orders.*.new"), publish("orders.*", "users.>"), 201},
		{"POST", sub + "/v1/topics/orders.eu.new/messages", "{}", publish("orders.>"), publish("users.>"), 201},
		{"GET", pub + "/v1/delayed?topic=orders.*", "", publish("orders.>"), publish("orders.eu"), 200},
		{"GET", pub + "/v1/delayed", "", publish(">"), publish("orders.>"), 200},
		{"GET", pub + "/v1/delayed", "", publish(">"), object{"publish": []string{">"}, "filter": "data.n > 1", "admin": true}, 200},
		{"DELETE", pub + "/v1/delayed/orders.eu/x", "", publish("orders.eu"), publish("orders.us"), 404},
		{"GET", sub + "/v1/topics?pattern=orders.*.new", "", sees("orders.>"), sees("orders.eu.*"), 200},
		{"GET", sub + "/v1/topics", "", sees(">"), sees("orders.>"), 200},
		{"GET", sub + "/v1/topics", "", sees(">"), object{"subscribe": []string{">"}, "filter": "data.n > 1", "admin": true}, 200},
		{"GET", sub + "/v1/topics/orders.%3E/messages", "", sees("orders.>"), sees("orders.*"), 200},
		{"GET", sub + "/v1/queues/mine", "", works("mine"), works("other"), 200},
		{"GET", sub + "/v1/queues/mine", "", object{"admin": true}, sees(">"), 200},
		{"GET", sub + "/v1/queues", "", object{"admin": true}, works("*"), 200},
		{"PUT", sub + "/v1/queues/mine", `{"max_attempts":3}`, works("mine"), works("other"), 200},
		{"PUT", sub + "/v1/queues/mine", `{"push":{"url":"http://203.0.113.1/"}}`, works("*"), object{"admin": true}, 200},
		{"POST", sub + "/v1/queues/mine/seek", `{"from":"new"}`, works("mine"), works(), 200},
		{"GET", sub + "/v1/queues/mine/dead", "", works("mine"), works("other"), 200},
		{"POST", sub + "/v1/queues/mine/dead/redrive", `{"all":true}`, works("mine"), works("other"), 200},
		{"POST", sub + "/v1/queues/mine/dead/discard", `{"all":true}`, works("mine"), works("other"), 200},
		{"POST", sub + "/v1/queues/mine/pull", `{}`, works("mine"), object{"admin": true, "queues": []string{"other"}}, 200},
		{"POST", sub + "/v1/queues/mine/ack", tag, works("mine"), works("other"), 200},
		{"POST", sub + "/v1/queues/mine/nack", tag, works("mine"), works("other"), 200},
		{"POST", sub + "/v1/queues/mine/reject", tag, works("mine"), works("other"), 200},
		{"DELETE", sub + "/v1/queues/mine", "", works("mine"), works("other"), 204},
		{"GET", sub + "/v1/connections", "", object{"admin": true}, works("*"), 200},
		{"POST", sub + "/v1/epoch", "", object{"admin": true}, works("*"), 200},
		{"DELETE", sub + "/v1/connections/x", "", object{"admin": true}, sees(">"), 404},
		{"DELETE", sub + "/v1/messages/99", "", object{"admin": true}, sees(">"), 404},
		{"POST", sub + "/v1/filters/check", `{"filter":"true"}`, object{}, nil, 200},
	} {
		name := fmt.Sprintf("%s %s", test.method, strings.TrimPrefix(strings.TrimPrefix(test.url, sub), pub))
		if test.less != nil {
			r := s.Do(t, test.method, test.url, test.body, harness.Bearer(t, test.less))
			t.Run(name+" is forbidden", func(t *testing.T) { checkProblem(t, r, http.StatusForbidden, "forbidden") })
		}
		r := s.Do(t, test.method, test.url, test.body)
		t.Run(name+" needs a token", func(t *testing.T) {
			checkProblem(t, r, http.StatusUnauthorized, "unauthenticated")
			if !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate %q", r.Header.Get("WWW-Authenticate"))
			}
		})
		if r := s.Do(t, test.method, test.url, test.body, harness.Bearer(t, test.enough)); r.Status != test.status {
			t.Errorf("%s: %d %s, want %d", name, r.Status, r.Body, test.status)
		}
	}
}

func TestWhatNeedsNoTokenIsOpen(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	for _, url := range []string{
		s.PublishURL + "/healthz", s.PublishURL + "/readyz", s.PublishURL + "/metrics", s.PublishURL + "/openapi.yaml",
		s.SubscribeURL + "/healthz", s.SubscribeURL + "/readyz", s.SubscribeURL + "/metrics", s.SubscribeURL + "/openapi.yaml",
		s.SubscribeURL + "/asyncapi.yaml", s.SubscribeURL + "/", s.SubscribeURL + "/client/msgq.js",
	} {
		if r := s.Do(t, http.MethodGet, url, ""); r.Status != http.StatusOK {
			t.Errorf("%s: %d %s", url, r.Status, r.Body)
		}
	}
	checkProblem(t, s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/nothing", ""), http.StatusUnauthorized, "unauthenticated")
}

func TestTokensThatAreNoGoodAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	url := s.PublishURL + "/v1/topics/a/messages"
	all := object{"publish": []string{">"}}
	good := harness.Token(t, all, time.Hour)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(), "msgq": all}).
		SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	header, payload, _ := strings.Cut(good, ".")
	payload, _, _ = strings.Cut(payload, ".")
	for name, value := range map[string]string{
		"no JWT":           "Bearer nonsense",
		"another scheme":   "Basic " + good,
		"empty":            "Bearer ",
		"expired":          "Bearer " + harness.Token(t, all, -time.Second),
		"not signed":       "Bearer " + unsigned,
		"signature gone":   "Bearer " + header + "." + payload + ".",
		"signature of two": "Bearer " + harness.Token(t, object{}, time.Hour)[:len(harness.Token(t, object{}, time.Hour))-4] + "AAAA",
		"too long":         "Bearer " + strings.Repeat("x", 20<<10),
		"a wrong pattern":  "Bearer " + harness.Token(t, object{"publish": []string{"a..b"}}, time.Hour),
		"a wrong queue":    "Bearer " + harness.Token(t, object{"queues": []string{"a b"}}, time.Hour),
		"a wrong filter":   "Bearer " + harness.Token(t, object{"filter": "data.x =="}, time.Hour),
		"another member":   "Bearer " + harness.Token(t, object{"publish": []string{">"}, "filters": "data.x == 1"}, time.Hour),
		"other capitals":   "Bearer " + harness.Token(t, object{"publish": []string{">"}, "Filter": "data.x == 1"}, time.Hour),
		"a wrong type":     "Bearer " + harness.Token(t, object{"publish": ">"}, time.Hour),
	} {
		r := s.Do(t, http.MethodPost, url, "1", "Authorization: "+value)
		t.Run(name, func(t *testing.T) { checkProblem(t, r, http.StatusUnauthorized, "unauthenticated") })
	}
	s.Publish(t, "a", "1", "Authorization: bearer "+good) // the scheme's case does not matter
}

func TestBatchItemsAreAllowedOneByOne(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	token := harness.Bearer(t, object{"publish": []string{"mine.>"}})
	const body = `[{"topic":"mine.a","data":1},{"topic":"other.a","data":2},{"topic":"mine.b","data":3}]`
	r := s.Do(t, http.MethodPost, s.PublishURL+"/v1/messages", body, token, "Content-Type: application/json")
	var answer struct {
		Results []struct {
			Status int
			Error  problem
		}
	}
	r.JSON(t, &answer)
	if got := answer.Results; len(got) != 3 || got[0].Status != 201 || got[1].Status != 403 || got[1].Error.Code != "forbidden" || got[2].Status != 201 {
		t.Errorf("results %s", r.Body)
	}
	r = s.Do(t, http.MethodPost, s.PublishURL+"/v1/messages?atomic=true", body, token, "Content-Type: application/json")
	checkProblem(t, r, http.StatusForbidden, "forbidden")
}

// tenant is a token of one who sees only what is his.
func tenant(name string) object {
	return object{"subscribe": []string{">"}, "queues": []string{"*"}, "filter": fmt.Sprintf("data.tenant == %q", name)}
}

func TestTokensFilterIsAlwaysApplied(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	publisher := harness.Bearer(t, object{"publish": []string{">"}})
	for i, tenant := range []string{"red", "blue", "red", "blue"} {
		s.Publish(t, "t", fmt.Sprintf(`{"tenant":%q,"n":%d}`, tenant, i), publisher)
	}
	red := harness.Bearer(t, tenant("red"))
	history := func(filter string) string {
		r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics/t/messages?filter="+filter, "", red)
		var page struct{ Messages []harness.Frame }
		r.JSON(t, &page)
		var got []string
		for _, m := range page.Messages {
			got = append(got, string(m.Data))
		}
		return strings.Join(got, " ")
	}
	const first, third = `{"tenant":"red","n":0}`, `{"tenant":"red","n":2}`
	for filter, want := range map[string]string{
		"": first + " " + third, "data.n%20%3E%201": third, "true%20%7C%7C%20true": first + " " + third, "data.n%20%3E%201%20%2F%2F": third,
	} {
		if got := history(filter); got != want {
			t.Errorf("history with filter %q: %s, want %s", filter, got, want)
		}
	}
	r := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics/t/messages?filter=true)%20%7C%7C%20(true", "", red)
	checkProblem(t, r, http.StatusBadRequest, "invalid_filter")

	r = s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/topics?pattern=t", "", red) // counts would tell of blue
	checkProblem(t, r, http.StatusForbidden, "forbidden")
	if want := "Use the history"; !strings.Contains(string(r.Body), want) {
		t.Errorf("%s does not say %q", r.Body, want)
	}

	events := s.Events(t, "topics=t&from=all", red)
	if e := events.Next(); e.Kind != "position" {
		t.Fatalf("first event %+v", e)
	}
	for _, want := range []string{first, third} {
		if e := events.Next(); string(e.Data) != want {
			t.Errorf("event %s, want %s", e.Raw, want)
		}
	}
	ws := s.Dial(t, http.Header{"Authorization": {strings.TrimPrefix(red, "Authorization: ")}})
	subscribe(t, ws, "l", object{"topics": []string{"t"}, "from": "all", "filter": "data.n > 1"})
	if f := ws.WaitType("message"); string(f.Data) != third {
		t.Errorf("got %s, want %s", f.Raw, third)
	}
}

// What a token's filter hides must not be had by way of a queue that another token's owner made.
func TestQueueKeepsTheFilterOfItsCreator(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	publisher := harness.Bearer(t, object{"publish": []string{">"}})
	red, blue := harness.Bearer(t, tenant("red")), harness.Bearer(t, tenant("blue"))
	worker := func(filter string) string {
		return harness.Bearer(t, object{"queues": []string{"q"}, "filter": filter})
	}
	if r := s.Do(t, http.MethodPut, queueURL(s, "q"), `{"topics":["t"]}`, red); r.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", r.Status, r.Body)
	}
	s.Publish(t, "t", `{"tenant":"blue"}`, publisher)
	s.Publish(t, "t", `{"tenant":"red"}`, publisher)
	for name, token := range map[string]string{"another tenant": blue, "no filter": worker(""), "a wider filter": worker("true")} {
		for _, act := range [][2]string{{"pull", `{}`}, {"ack", `{"tags":["x"]}`}, {"reject", `{"tags":["x"]}`}} {
			r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/"+act[0], act[1], token)
			t.Run(name+" cannot "+act[0], func(t *testing.T) { checkProblem(t, r, http.StatusForbidden, "forbidden") })
		}
		if name != "no filter" { // which hides nothing
			for _, r := range []harness.Response{
				s.Do(t, http.MethodGet, queueURL(s, "q")+"/dead", "", token),
				s.Do(t, http.MethodPost, queueURL(s, "q")+"/dead/redrive", `{"filter":"data.tenant == \"red\""}`, token),
			} {
				t.Run(name+" cannot see its dead letters", func(t *testing.T) { checkProblem(t, r, http.StatusForbidden, "forbidden") })
			}
		}
		r := s.Do(t, http.MethodPut, queueURL(s, "q"), `{"push":{"url":"http://203.0.113.1/"}}`, token)
		t.Run(name+" cannot have it pushed", func(t *testing.T) { checkProblem(t, r, http.StatusForbidden, "forbidden") })
		ws := s.Dial(t, http.Header{"Authorization": {strings.TrimPrefix(token, "Authorization: ")}})
		ws.Send(object{"type": "subscribe", "id": "q", "queue": "q", "ref": 1})
		if f := ws.WaitRef("1"); f.Code != "forbidden" {
			t.Errorf("%s joins: %s", name, f.Raw)
		}
	}
	// Who may only work for it cannot make it anew with a filter of his own.
	r := s.Do(t, http.MethodPut, queueURL(s, "p"), `{"topics":["t"]}`, harness.Bearer(t, object{"queues": []string{"p"}}))
	checkProblem(t, r, http.StatusForbidden, "forbidden")
	var got struct{ Messages []harness.Frame }
	s.Do(t, http.MethodPost, queueURL(s, "q")+"/pull", `{"max":5,"wait":"5s"}`, worker(`data.tenant == "red"`)).JSON(t, &got)
	if len(got.Messages) != 1 || string(got.Messages[0].Data) != `{"tenant":"red"}` {
		t.Errorf("pulled %+v, want red's message alone", got.Messages)
	}
}

func TestPullEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	all := object{"subscribe": []string{">"}, "queues": []string{"q"}}
	if r := s.Do(t, http.MethodPut, queueURL(s, "q"), `{"topics":["a"]}`, harness.Bearer(t, all)); r.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", r.Status, r.Body)
	}
	start := time.Now()
	r := s.Do(t, http.MethodPost, queueURL(s, "q")+"/pull", `{"wait":"5m"}`, "Authorization: Bearer "+harness.Token(t, all, 2*time.Second))
	if r.Status != http.StatusOK || string(r.Body) != `{"messages":[]}` {
		t.Errorf("after %s: %d %s, want no messages", time.Since(start), r.Status, r.Body)
	}
}

func TestForwardedTopicIsOne(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	token := harness.Bearer(t, object{"publish": []string{"a.>"}})
	for _, topic := range []string{"a.x%2F..%2F..", "a.x/%2e%2e", "a..b", "a.*"} {
		r := s.Do(t, http.MethodPost, s.SubscribeURL+"/v1/topics/"+topic+"/messages", "1", token)
		t.Run(topic, func(t *testing.T) { checkProblem(t, r, http.StatusBadRequest, "invalid_topic") })
	}
}

func TestEventsTakeTheTokenFromTheQueryAndEndWithIt(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Auth: true})
	permissions := object{"subscribe": []string{"a"}}
	url := s.SubscribeURL + "/v1/events?topics="
	checkProblem(t, s.Do(t, http.MethodGet, url+"a", ""), http.StatusUnauthorized, "unauthenticated")
	checkProblem(t, s.Do(t, http.MethodGet, url+"b&access_token="+harness.Token(t, permissions, time.Hour), ""), http.StatusForbidden, "forbidden")

	events := s.Events(t, "topics=a&access_token="+harness.Token(t, permissions, 2*time.Second))
	start := time.Now()
	for {
		if _, err := events.Read(); err != nil {
			break // the stream has ended
		}
		if time.Since(start) > msgqtest.Timeout {
			t.Fatal("the stream goes on without a token that holds")
		}
	}
}
