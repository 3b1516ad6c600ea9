package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// startClosed starts services that want tokens.
func startClosed(t *testing.T) (secretFile string) {
	t.Helper()
	s := harness.Start(t, harness.Options{Auth: true})
	t.Setenv("MSGQ_PUBLISH_URL", s.PublishURL)
	t.Setenv("MSGQ_SUBSCRIBE_URL", s.SubscribeURL)
	return s.SecretFile
}

func makeToken(t *testing.T, args ...string) string {
	t.Helper()
	r := command(t, "", append([]string{"token"}, args...)...)
	if r.code != 0 {
		t.Fatalf("token %q: %+v", args, r)
	}
	return strings.TrimSpace(r.out)
}

func TestTokenOpensWhatItNames(t *testing.T) {
	secretFile := startClosed(t)
	for _, args := range [][]string{{"pub", "a.b", "1"}, {"sub", "a.>", "-n", "1"}, {"queues"}, {"dead", "list", "q"}} {
		if r := command(t, "", args...); r.code != exitFailed || !strings.Contains(r.err, "MSGQ_TOKEN") {
			t.Errorf("%q without a token: %+v, want the hint", args, r)
		}
	}
	t.Setenv("MSGQ_TOKEN", makeToken(t, "--secret-file", secretFile, "--publish", "a.>", "--subscribe", "a.>", "--queue", "q", "--subject", "me"))
	if r := command(t, `{"n":1}`, "pub", "a.b"); r.code != 0 {
		t.Errorf("pub: %+v", r)
	}
	if r := command(t, "1", "pub", "b"); r.code != exitFailed || !strings.Contains(r.err, "forbidden") {
		t.Errorf("pub elsewhere: %+v", r)
	}
	if r := command(t, "", "sub", "a.*", "--from", "all", "-n", "1"); r.code != 0 || !strings.Contains(r.out, `"data":{"n":1}`) {
		t.Errorf("sub: %+v", r)
	}
	if r := command(t, "", "sub", "a.*", "--queue", "q", "--from", "all", "-n", "1"); r.code != 0 {
		t.Errorf("sub --queue: %+v", r)
	}
	if r := command(t, "", "sub", ">", "-n", "1"); r.code != exitFailed || !strings.Contains(r.err, "forbidden") {
		t.Errorf("sub of all: %+v", r)
	}
	if r := command(t, "", "queues", "q", "--json"); r.code != 0 || !strings.Contains(r.out, `"name":"q"`) {
		t.Errorf("queues q: %+v", r)
	}
	t.Setenv("MSGQ_TOKEN", makeToken(t, "--secret-file", secretFile, "--admin", "--for", "1m"))
	if r := command(t, "", "queues", "--json"); r.code != 0 || !strings.Contains(r.out, `"name":"q"`) {
		t.Errorf("queues of an administrator: %+v", r)
	}
}

func TestTokenOfNoUseIsNotMade(t *testing.T) {
	for _, args := range [][]string{
		{"--publish", "a..b"}, {"--subscribe", ">.a"}, {"--queue", "a b"}, {"--filter", "data.x ==", "--admin"}, {"--for", "-1s", "--admin"},
	} {
		if r := command(t, "", append([]string{"token", "--secret-file", "token_test.go"}, args...)...); r.code != exitWrongUse || !strings.Contains(r.err, args[0]) {
			t.Errorf("%q: %+v, want wrong use that names the flag", args, r)
		}
	}
}

func TestTokenThatNoServiceTakesIsNotMade(t *testing.T) {
	short := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(short, []byte(strings.Repeat("x", 31)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, args := range map[string][]string{
		"allow nothing": {"--secret-file", "token_test.go", "--subject", "me"},
		"31 bytes":      {"--secret-file", short, "--admin"},
	} {
		if r := command(t, "", append([]string{"token"}, args...)...); r.code != exitWrongUse || !strings.Contains(r.err, text) {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
