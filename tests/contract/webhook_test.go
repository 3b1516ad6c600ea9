package contract_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

const (
	webhookSecret      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherWebhookSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// signedBy reports whether the call has the signature of this secret.
func signedBy(t *testing.T, c call, secret string) bool {
	t.Helper()
	hook, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return hook.Verify([]byte(c.body), c.header) == nil
}

func changeQueue(t *testing.T, s *harness.Stack, settings object) {
	t.Helper()
	if r := putQueue(t, s, "q", settings); r.Status != http.StatusOK {
		t.Fatalf("change queue: %d %s", r.Status, r.Body)
	}
}

func TestWebhookIsSignedAndItsSecretNeverShown(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	settings := object{"topics": []string{"a"}, "push": object{"url": url, "secret": webhookSecret}}
	r := putQueue(t, s, "q", settings)
	next := func() call {
		t.Helper()
		s.Publish(t, "a", `{"n": "ü\u0000"}`)
		return msgqtest.Receive(t, calls, "call")
	}
	if c := next(); !signedBy(t, c, webhookSecret) || signedBy(t, c, otherWebhookSecret) {
		t.Errorf("headers %v are not signed by the secret", c.header)
	}
	list := s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues", "")
	for _, shown := range []harness.Response{r, list, s.Do(t, http.MethodGet, queueURL(s, "q"), "")} {
		if text := string(shown.Body); strings.Contains(text, webhookSecret[6:]) || !strings.Contains(text, `"signed":true`) {
			t.Errorf("%s, want that it is signed and not by what", text)
		}
	}
	changeQueue(t, s, object{"push": object{"url": url, "timeout": "3s"}})
	if c := next(); !signedBy(t, c, webhookSecret) {
		t.Error("a change without a secret must keep it")
	}
	changeQueue(t, s, object{"push": object{"url": url, "secret": otherWebhookSecret}})
	if c := next(); !signedBy(t, c, otherWebhookSecret) {
		t.Error("not signed by the new secret")
	}
	changeQueue(t, s, object{"push": object{"url": url, "secret": nil}})
	if c := next(); c.header.Get("Webhook-Signature") != "" {
		t.Errorf("signed with %q, the secret was removed", c.header.Get("Webhook-Signature"))
	}
	if getQueue(t, s, "q").Push["signed"] != nil {
		t.Error("shown as signed")
	}
}

func TestWebhookSecretSurvivesBrokerAndServiceRestart(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": url, "secret": webhookSecret}})
	s.StopSubscribe()
	s.Broker.Restart()
	s.StartSubscribe(t, "--push-private")
	s.WaitReady(t)
	s.Publish(t, "a", `1`)
	if c := msgqtest.Receive(t, calls, "call"); !signedBy(t, c, webhookSecret) {
		t.Errorf("headers %v are not signed", c.header)
	}
}

func TestBadWebhookSecretsAreRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	for name, secret := range map[string]any{
		"no prefix": webhookSecret[6:], "no base64": "whsec_hunter2!", "too short": "whsec_aHVudGVyMg==", "a number": 5,
		"too long": "whsec_" + strings.Repeat("aHVu", 22), "a list": []string{webhookSecret},
	} {
		r := putQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": "http://a", "secret": secret}})
		checkProblem(t, r, http.StatusBadRequest, "invalid_request")
		if text := string(r.Body); !strings.Contains(text, "push.secret") || strings.Contains(text, "hunter2") || strings.Contains(text, "aHV") {
			t.Errorf("%s: %s, want the field named and the secret not repeated", name, text)
		}
	}
	r := putQueue(t, s, "q", object{"topics": []string{"a"}, "push": object{"url": "https://user:hunter2@example.com"}})
	checkProblem(t, r, http.StatusBadRequest, "invalid_request")
	if strings.Contains(string(r.Body), "hunter2") {
		t.Errorf("%s repeats the password", r.Body)
	}
}

func TestWebhookAtAPrivateAddressIsRefusedUnlessThatIsMeant(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	createQueue(t, s, "q", object{"topics": []string{"a"}, "max_attempts": 1, "push": object{"url": url}})
	s.Publish(t, "a", `1`)
	waitQueue(t, s, "q", 0, 0, 1)
	noCall(t, calls)
	dead := s.Do(t, http.MethodGet, queueURL(s, "q")+"/dead", "")
	if !strings.Contains(string(dead.Body), "MSGQ_PUSH_PRIVATE") || strings.Contains(string(dead.Body), "127.0.0.1") {
		t.Errorf("%s, want a reason that says what to set", dead.Body)
	}
}

func TestWebhookThatIsSlowIsCalledConcurrently(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	const concurrency, n = 4, 12
	release := make(chan struct{})
	url, calls := receiver(t, func(http.ResponseWriter, int) { <-release })
	createQueue(t, s, "q", object{
		"topics": []string{"a"}, "ack_wait": "1s", "push": object{"url": url, "concurrency": concurrency, "timeout": "1m"},
	})
	for i := range n {
		s.Publish(t, "a", fmt.Sprint(i))
	}
	for range concurrency {
		msgqtest.Receive(t, calls, "call")
	}
	timer := time.NewTimer(3 * time.Second) // over the ack wait: neither more calls, nor the same message again
	defer timer.Stop()
	<-timer.C
	noCall(t, calls)
	close(release)
	for range n - concurrency {
		if c := msgqtest.Receive(t, calls, "call"); c.header.Get("Msgq-Attempt") != "1" {
			t.Errorf("attempt %s, want 1: what waits is kept alive", c.header.Get("Msgq-Attempt"))
		}
	}
	waitQueue(t, s, "q", 0, 0, 0)
}

func TestRequestsUnderWayAreNotCutByAChangeOfSettings(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	const n = 3
	release := make(chan struct{})
	url, calls := receiver(t, func(http.ResponseWriter, int) { <-release })
	createQueue(t, s, "q", object{"topics": []string{"a"}, "max_attempts": 1, "push": object{"url": url, "timeout": "1m"}})
	for i := range n {
		s.Publish(t, "a", fmt.Sprint(i))
	}
	for range n {
		msgqtest.Receive(t, calls, "call")
	}
	changeQueue(t, s, object{"max_attempts": 1, "push": object{"url": url, "timeout": "1m", "concurrency": 4}})
	timer := time.NewTimer(16 * time.Second) // a stop of the service would wait 15 s for them
	defer timer.Stop()
	<-timer.C
	close(release)
	waitQueue(t, s, "q", 0, 0, 0)
	noCall(t, calls)
}

func TestDeadWebhookCostsWaitingMessagesNoAttempts(t *testing.T) {
	t.Parallel()
	s := startPush(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close() // refuses connections
	const n = 60
	createQueue(t, s, "q", object{
		"topics": []string{"a"}, "max_attempts": 3, "backoff": "10ms", "push": object{"url": gone.URL, "concurrency": 4},
	})
	for i := range n {
		s.Publish(t, "a", fmt.Sprint(i))
	}
	open := func() bool {
		r := s.Do(t, http.MethodGet, s.SubscribeURL+"/metrics", "")
		return strings.Contains(string(r.Body), `msgq_push_circuit_open{queue="q"} 1`)
	}
	msgqtest.Eventually(t, "the circuit is open", open)
	if push := getQueue(t, s, "q").Push; push["failing"] != true {
		t.Errorf("push is %v, want it to be failing", push)
	}
	timer := time.NewTimer(3 * time.Second) // without a circuit all would be dead by then
	defer timer.Stop()
	<-timer.C
	if info := getQueue(t, s, "q"); info.Dead > 8 { // what was out when it opened, and probes
		t.Errorf("%d dead letters, want most messages to wait", info.Dead)
	}
	for i := range 5 { // what waits is given back and not sent
		changeQueue(t, s, object{"max_attempts": 3, "backoff": "10ms", "push": object{"url": gone.URL, "concurrency": 5 + i}})
	}
	for _, d := range deadLetters(t, s, "q", "").DeadLetters {
		if d.Reason != "the webhook could not be reached: connection refused" {
			t.Errorf("dead letter with reason %q, want only those that failed", d.Reason)
		}
	}
	url, calls := receiver(t, func(http.ResponseWriter, int) {})
	changeQueue(t, s, object{"max_attempts": 3, "backoff": "10ms", "push": object{"url": url, "concurrency": 4}})
	msgqtest.Eventually(t, "all messages are settled", func() bool {
		info := getQueue(t, s, "q")
		return info.Ready+info.InFlight == 0 && len(calls)+info.Dead == n
	})
	if open() {
		t.Error("the circuit is shown as open")
	}
	if push := getQueue(t, s, "q").Push; push["failing"] != nil {
		t.Errorf("push is %v, want it to be well", push)
	}
}
