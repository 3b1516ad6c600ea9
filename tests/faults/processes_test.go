// Package faults_test kills and freezes real processes under a running gateway.
package faults_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// bin holds the programs, built once for all tests.
var bin string

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	var err error
	if bin, err = os.MkdirTemp("", "msgq-faults-"); err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(bin) }()
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", bin+"/", "./cmd/msgq", "./services/publish", "./services/subscribe",
		"./tests/faults/jobmember")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// process is one program of ours, which a test may kill and start again.
type process struct {
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	log  *os.File
}

// start runs a program until the test ends.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), args[0]+".log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, args: args, log: log}
	t.Cleanup(func() {
		p.kill(syscall.SIGCONT) // a frozen one would not end
		p.end(syscall.SIGTERM)
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("log of %s:\n%s", strings.Join(args, " "), text)
		}
		_ = log.Close()
	})
	p.run()
	return p
}

func (p *process) run() {
	p.t.Helper()
	p.cmd = exec.CommandContext(context.Background(), filepath.Join(bin, p.args[0]), p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) kill(signal syscall.Signal) {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(signal)
	}
}

// end signals and waits.
func (p *process) end(signal syscall.Signal) {
	p.kill(signal)
	_ = p.cmd.Wait()
}

// stack is the gateway as three processes.
type stack struct {
	*harness.Stack
	broker, publish, subscribe *process
}

// natsURL is the broker's.
func (s *stack) natsURL() string { return "nats://127.0.0.1:" + s.broker.args[len(s.broker.args)-1] }

func startStack(t testing.TB) *stack {
	t.Helper()
	brokerAddr, publishAddr, subscribeAddr := freeAddr(t), freeAddr(t), freeAddr(t)
	_, port, _ := net.SplitHostPort(brokerAddr)
	nats := "--nats-url=nats://" + brokerAddr
	s := &stack{
		Stack: &harness.Stack{
			PublishURL: "http://" + publishAddr, SubscribeURL: "http://" + subscribeAddr,
			Client: &http.Client{Timeout: msgqtest.Timeout},
		},
		broker:    start(t, "msgq", "broker", "--data", t.TempDir(), "--port", port),
		publish:   start(t, "publish", nats, "--publish-addr="+publishAddr),
		subscribe: start(t, "subscribe", nats, "--subscribe-addr="+subscribeAddr, "--publish-url=http://"+publishAddr),
	}
	t.Cleanup(s.Client.CloseIdleConnections)
	for _, url := range []string{s.PublishURL, s.SubscribeURL} {
		msgqtest.Eventually(t, "an answer from "+url, func() bool { return answers(t, s.Client, url+"/healthz") })
	}
	s.WaitReady(t)
	return s
}

func answers(t testing.TB, client *http.Client, url string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
