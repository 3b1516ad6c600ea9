// Package recipes_test runs the recipes of docs/recipes.md, word by word.
package recipes_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

// need skips the test on a machine where the command fails, unless this variable is 1.
func need(t *testing.T, variable, what string, command ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err == nil {
		return
	}
	reason := fmt.Sprintf("%s is missing (%v): %.200s", what, err, out)
	if os.Getenv(variable) == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// program runs until the test ends, in a folder of its own. Lines of its output come on lines.
type program struct {
	cmd   *exec.Cmd
	lines chan string
}

// run starts an interpreter with a script.
func run(t *testing.T, interpreter, script string) *program {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "recipe")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreter, path)
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var failures strings.Builder
	cmd.Stderr = &failures
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: cmd, lines: make(chan string, 10_000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-read
		_ = cmd.Wait()
		if failures.Len() > 0 {
			t.Errorf("the recipe says: %s", &failures)
		}
	})
	return p
}

// expect waits for this line.
func (p *program) expect(t *testing.T, want string) {
	t.Helper()
	if got := msgqtest.Receive(t, p.lines, fmt.Sprintf("line %q", want)); got != want {
		t.Fatalf("printed %q, want %q", got, want)
	}
}

// waitJSON waits until what the subscribe service answers to a GET has all these texts.
func waitJSON(t *testing.T, s *harness.Stack, path string, want ...string) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("GET %s answered %.2000s", path, last)
		}
	}()
	msgqtest.Eventually(t, fmt.Sprintf("GET %s has %q", path, want), func() bool {
		last = string(s.Do(t, "GET", s.SubscribeURL+path, "").Body)
		for _, text := range want {
			if !strings.Contains(last, text) {
				return false
			}
		}
		return true
	})
}
