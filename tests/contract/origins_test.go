package contract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// TestPageOfAnAllowedOriginMayReadAnswers wants of both services what a browser asks for before it
// shows a page of another host anything (CORS).
func TestPageOfAnAllowedOriginMayReadAnswers(t *testing.T) {
	t.Parallel()
	const friend, stranger = "https://app.example.com", "https://evil.example.com"
	flags := []string{"--allowed-origins=" + friend}
	s := harness.Start(t, harness.Options{PublishFlags: flags, SubscribeFlags: flags})
	createQueue(t, s, "q", object{"topics": []string{"a"}})
	shared := func(r harness.Response) string { return r.Header.Get("Access-Control-Allow-Origin") }
	for url, method := range map[string]string{
		s.PublishURL + "/v1/topics/a/messages": "POST", s.PublishURL + "/v1/delayed": "GET", s.SubscribeURL + "/v1/topics/a/messages": "POST",
		s.SubscribeURL + "/v1/queues": "GET", queueURL(s, "q") + "/pull": "POST", s.SubscribeURL + "/client/msgq.js": "GET",
		queueURL(s, "none"): "GET",
	} {
		if r := s.Do(t, method, url, "", "Origin: "+friend); shared(r) != friend || r.Header.Get("Vary") != "Origin" {
			t.Errorf("%s %s: %d %v, want it shared with %s", method, url, r.Status, r.Header, friend)
		}
		if r := s.Do(t, method, url, "", "Origin: "+stranger); r.Status != http.StatusForbidden || shared(r) != "" {
			t.Errorf("%s %s: %d %v, want nothing for %s", method, url, r.Status, r.Header, stranger)
		}
		if r := s.Do(t, method, url, ""); shared(r) != "" {
			t.Errorf("%s %s: %v, asked for by no page", method, url, r.Header)
		}
	}
	ask := func(origin string) harness.Response {
		return s.Do(t, http.MethodOptions, queueURL(s, "q"), "", "Origin: "+origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type")
	}
	r := ask(friend)
	if r.Status != http.StatusNoContent || shared(r) != friend || r.Header.Get("Access-Control-Allow-Headers") != "content-type" {
		t.Errorf("asked before a PUT: %d %v", r.Status, r.Header)
	}
	if r := ask(stranger); r.Status != http.StatusForbidden || shared(r) != "" {
		t.Errorf("asked before a stranger's PUT: %d %v", r.Status, r.Header)
	}
}

// TestPageWhoseNameLeadsHereMustNotUseAServiceWithoutAuthentication has the Host be that of the page, as after DNS rebinding.
func TestPageWhoseNameLeadsHereMustNotUseAServiceWithoutAuthentication(t *testing.T) {
	t.Parallel()
	const host = "attacker.example:8080"
	s := harness.Start(t, harness.Options{})
	for url, method := range map[string]string{
		s.PublishURL + "/v1/topics/a/messages": "POST", s.PublishURL + "/v1/delayed": "GET", s.SubscribeURL + "/v1/topics/a/messages": "POST",
		s.SubscribeURL + "/v1/queues": "GET", s.SubscribeURL + "/": "GET",
	} {
		for _, headers := range [][]string{{"Host: " + host}, {"Host: " + host, "Origin: http://" + host}} {
			r := s.Do(t, method, url, "", headers...)
			checkProblem(t, r, http.StatusForbidden, "forbidden")
			if want := "MSGQ_ALLOWED_ORIGINS"; !strings.Contains(string(r.Body), want) {
				t.Errorf("%s does not name %s", r.Body, want)
			}
		}
	}
	checkProblem(t, s.DialRefused(t, http.Header{"Host": {host}, "Origin": {"http://" + host}}), http.StatusForbidden, "forbidden")
	for _, url := range []string{s.PublishURL, s.SubscribeURL} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if r := s.Do(t, http.MethodGet, url+path, "", "Host: "+host); r.Status != http.StatusOK {
				t.Errorf("%s: %d %s", path, r.Status, r.Body)
			}
		}
	}
	s = harness.Start(t, harness.Options{Auth: true}) // where a page has no token
	if r := s.Do(t, http.MethodGet, s.SubscribeURL+"/", "", "Host: "+host); r.Status != http.StatusOK {
		t.Errorf("with authentication: %d %s", r.Status, r.Body)
	}
}
