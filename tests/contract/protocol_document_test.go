package contract_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// follower does what a page's console blocks say, and wants to see what they show.
type follower struct {
	t       *testing.T
	s       *harness.Stack
	ws      *harness.Socket
	output  *bufio.Scanner    // of the last command
	stop    func()            // ends it
	learned map[string]string // what stands for words in capitals
}

func TestProtocolPageIsRightWordByWord(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{t: t, s: harness.Start(t, harness.Options{}), stop: func() {}, learned: map[string]string{}}
	defer func() { f.stop() }()
	lines := 0
	for _, part := range strings.Split(string(page), "```console\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		for line := range strings.SplitSeq(strings.TrimSuffix(block, "\n"), "\n") {
			lines++
			f.follow(line)
		}
	}
	if lines < 50 {
		t.Errorf("the page has %d lines of console, want more than 50: are they marked differently now?", lines)
	}
}

func (f *follower) follow(line string) {
	f.t.Helper()
	switch {
	case strings.HasPrefix(line, "$ npx wscat "):
		if want := "--connect ws://127.0.0.1:8081/v1/ws --subprotocol msgq.v1"; strings.TrimPrefix(line, "$ npx wscat ") != want {
			f.t.Fatalf("%s: want %s", line, want)
		}
		ws := f.s.Dial(f.t, http.Header{"Sec-Websocket-Protocol": {"msgq.v1"}})
		ws.Unread(ws.Welcome)
		f.ws = ws
	case strings.HasPrefix(line, "$ curl "):
		f.run(strings.TrimPrefix(line, "$ "))
	case strings.HasPrefix(line, "> "):
		f.ws.SendText(f.fill(line[2:]))
	case strings.HasPrefix(line, "< "):
		got := f.ws.Next()
		for got.Type == "position" { // on a slow machine
			got = f.ws.Next()
		}
		f.compare(line[2:], got.Raw)
	default:
		if !f.output.Scan() {
			f.t.Fatalf("the output ends (%v), want %s", f.output.Err(), line)
		}
		f.compare(line, f.output.Text())
	}
}

// run starts a command; what it shows is read by the lines that follow.
func (f *follower) run(command string) {
	f.t.Helper()
	f.stop()
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	command = strings.NewReplacer("127.0.0.1:8080", host(f.s.PublishURL), "127.0.0.1:8081", host(f.s.SubscribeURL)).Replace(f.fill(command))
	cmd := exec.CommandContext(f.t.Context(), "bash", "-c", "exec "+command)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	late := time.AfterFunc(msgqtest.Timeout, func() { _ = cmd.Process.Kill() })
	f.stop = func() {
		late.Stop()
		_ = cmd.Process.Kill() // events go on for ever
		_ = cmd.Wait()
		f.stop = func() {}
	}
	f.output = bufio.NewScanner(out)
}

var word = regexp.MustCompile(`\b(?:EPOCH|TAG)\b`)

func (f *follower) fill(text string) string {
	return word.ReplaceAllStringFunc(text, func(name string) string { return f.learned[name] })
}

// compare wants got to be like the line: … is anything, and a word in capitals what it was before.
func (f *follower) compare(line, got string) {
	f.t.Helper()
	pattern := strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")
	var names []string
	pattern = word.ReplaceAllStringFunc(pattern, func(name string) string {
		if value, ok := f.learned[name]; ok {
			return regexp.QuoteMeta(value)
		}
		names = append(names, name)
		return `([^":]+)`
	})
	found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(got)
	if found == nil {
		f.t.Fatalf("got  %s\nwant %s", got, line)
	}
	for i, name := range names {
		f.learned[name] = found[i+1]
	}
}
