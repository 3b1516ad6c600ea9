package recipes_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func needShell(t *testing.T) {
	t.Helper()
	need(t, "MSGQ_REQUIRE_SHELL", "bash, curl or jq (Debian: apt-get install curl jq)", "bash", "-c", "curl --version && jq --version")
}

// withMsgq is a script that finds the msgq command, and through it the stack.
func withMsgq(t *testing.T, s *harness.Stack, script string) string {
	t.Helper()
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/msgq")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return fmt.Sprintf("export PATH=%s%c$PATH MSGQ_SUBSCRIBE_URL=%s MSGQ_PUBLISH_URL=%s\n", bin, os.PathListSeparator, s.SubscribeURL, s.PublishURL) + script
}

func TestWorkerInShell(t *testing.T) {
	t.Parallel()
	needShell(t)
	s := harness.Start(t, harness.Options{})
	script := s.Recipe(t, "A worker in a shell script", "sh")
	const work = `work() { jq -r`
	if !strings.Contains(script, work) {
		t.Fatalf("no %q in the recipe", work)
	}
	worker := run(t, "bash", strings.Replace(script, work, `work() { message=$(cat); [[ $message != *'"bad"'* ]] && <<<"$message" jq -r`, 1))
	waitJSON(t, s, "/v1/queues", `"name":"workers"`, `"ack_wait":"1m0s"`)
	s.Publish(t, "jobs.print", `{"page":"a  b\\n"}`)
	worker.expect(t, `1 jobs.print {"page":"a  b\\n"}`)
	s.Publish(t, "jobs.print", `"bad"`) // nack
	waitJSON(t, s, "/v1/queues/workers", `"acknowledged":1,`, `"delivered":3`)
	for i := range 25 {
		s.Publish(t, "jobs.count", fmt.Sprint(i))
	}
	for i := range 25 {
		worker.expect(t, fmt.Sprintf("1 jobs.count %d", i))
	}
	waitJSON(t, s, "/v1/queues/workers", `"ready":0`, `"acknowledged":26,`)
}

func TestCompetingConsumers(t *testing.T) {
	t.Parallel()
	needShell(t)
	s := harness.Start(t, harness.Options{})
	p := run(t, "bash", withMsgq(t, s, s.Recipe(t, "Competing consumers", "sh")))
	one, two, total := 0, 0, 0
	for _, count := range []*int{&one, &two, &total} {
		line := msgqtest.Receive(t, p.lines, "count of lines")
		if _, err := fmt.Sscan(line, count); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if total != 100 || one == 0 || two == 0 {
		t.Errorf("shared %d and %d, want 100 in all, some each", one, two)
	}
}

func TestTokensForTenants(t *testing.T) {
	t.Parallel()
	needShell(t)
	s := harness.Start(t, harness.Options{Auth: true})
	const file = "MSGQ_JWT_SECRET_FILE=secret\n"
	script := s.Recipe(t, "Tokens for tenants", "sh")
	if !strings.Contains(script, file) {
		t.Fatalf("no %q in the recipe", file)
	}
	p := run(t, "bash", withMsgq(t, s, strings.Replace(script, file, "MSGQ_JWT_SECRET_FILE="+s.SecretFile+"\n", 1)))
	for _, shop := range []string{"7", "8"} {
		if line := msgqtest.Receive(t, p.lines, "receipt"); !strings.Contains(line, `"seq":`) {
			t.Errorf("shop %s: published %s", shop, line)
		}
	}
	p.expect(t, `{"shop":7,"total":42.5}`)
	p.expect(t, `[7]`)
	p.expect(t, `forbidden`)
}

func TestPoisonMessages(t *testing.T) {
	t.Parallel()
	needShell(t)
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	ws.Send(map[string]any{"type": "subscribe", "id": "q", "topics": []string{"jobs.>"}, "queue": "workers", "max_attempts": 1})
	ws.WaitType("subscribed")
	for _, topic := range []string{"jobs.count", "jobs.print", "jobs.count"} {
		s.Publish(t, topic, `1`)
		ws.Send(map[string]any{"type": "nack", "id": "q", "tags": []string{ws.WaitType("message").Tag}, "reason": "timeout", "ref": 1})
		ws.WaitType("ok")
	}
	p := run(t, "bash", withMsgq(t, s, s.Recipe(t, "Poison messages", "sh")))
	for range 3 {
		if line := msgqtest.Receive(t, p.lines, "dead letter"); !strings.Contains(line, `"reason":"timeout"`) {
			t.Errorf("listed %s", line)
		}
	}
	p.expect(t, `{"count":2}`)
	p.expect(t, `{"count":1}`)
	for range 2 {
		if f := ws.WaitType("message"); f.Topic != "jobs.count" || f.Attempt != 1 {
			t.Errorf("redriven: %s", f.Raw)
		}
	}
	waitJSON(t, s, "/v1/queues/workers", `"dead":0`, `"in_flight":2`)
}
