//go:build unix

package msgqtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Command is the program and the arguments of a broker that keeps its data in dir
// and listens on the port of 127.0.0.1.
type Command func(dir string, port int) []string

// MsgqBroker builds this module's msgq for the test and runs its broker, which
// syncs every message to disk. In another module it has to be a tool:
//
//	go get -tool github.com/asyncmsglib/msgq/cmd/msgq
func MsgqBroker(t testing.TB) Command {
	t.Helper()
	program := filepath.Join(t.TempDir(), "msgq")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/asyncmsglib/msgq/cmd/msgq") //nolint:gosec // constants
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build msgq: %v\n%s", err, out)
	}
	return func(dir string, port int) []string {
		return []string{program, "broker", "--data", dir, "--port", strconv.Itoa(port)}
	}
}

// NATSServer runs the nats-server at the path with its own defaults: it syncs
// every two minutes, so what it acknowledged survives its own death but not the machine's.
func NATSServer(path string) Command {
	return func(dir string, port int) []string {
		return []string{path, "--jetstream", "--store_dir", dir, "--addr", "127.0.0.1", "--port", strconv.Itoa(port)}
	}
}

// Process is a broker in a process of its own, on the same port and data over all its lives.
type Process struct {
	URL string
	// Dir keeps its data. While it does not run, a test may put other data there.
	Dir string

	t    testing.TB
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer // of all lives
}

// NewProcess starts a broker that ends with the test, and whose log is shown if that failed.
func NewProcess(t testing.TB, command Command) *Process {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	p := &Process{t: t, URL: fmt.Sprintf("nats://127.0.0.1:%d", port), Dir: dir, args: command(dir, port)}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of the broker's log:\n%s", p.log.Bytes()[max(0, p.log.Len()-4<<10):])
		}
	})
	p.Start()
	return p
}

// Start starts a broker that was stopped or killed, and returns once it takes connections.
func (p *Process) Start() {
	p.t.Helper()
	p.cmd = exec.CommandContext(context.Background(), p.args[0], p.args[1:]...) //nolint:gosec // what the test asks for
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start the broker: %v", err)
	}
	Eventually(p.t, "the broker takes connections", func() bool {
		nc, err := nats.Connect(p.URL)
		if err != nil {
			return false
		}
		nc.Close()
		return true
	})
}

// Stop ends the broker in good order. Stopping twice is harmless.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

// Kill ends the broker with SIGKILL, frozen or not. Killing twice is harmless.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

func (p *Process) end(signal syscall.Signal) {
	if p.cmd.Process == nil || p.cmd.ProcessState != nil { // never started, or ended before
		return
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Wait() // "signal: killed" is what was asked for
}

// Restart kills the broker and starts it again.
func (p *Process) Restart() {
	p.t.Helper()
	p.Kill()
	p.Start()
}

// Freeze stops the broker with its connections open (SIGSTOP), until Thaw. It
// returns when the broker stands still: a busy one goes on for a moment.
func (p *Process) Freeze() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	if err := waitStopped(p.cmd.Process.Pid); err != nil {
		p.t.Fatalf("wait for the broker to stop: %v", err)
	}
}

// Thaw has a frozen broker go on.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatalf("%s to the broker: %v", signal, err)
	}
}

// Connect opens a client that ends with the test. cfg.URL is set; change may be nil.
func (p *Process) Connect(change func(*msgq.Config)) *msgq.Client {
	p.t.Helper()
	return Connect(p.t, p.URL, change)
}

// freePort names a port that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening on %s", l.Addr())
	}
	return addr.Port
}
