// Package brokerproc runs a broker in a process of its own, which is the
// calling program started again: nothing has to be built or found.
package brokerproc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
)

// Sync is when a broker brings to disk what it acknowledges.
type Sync string

const (
	// SyncAlways is before it answers. It is what `msgq broker` does.
	SyncAlways Sync = "always"
	// SyncDefault is every two minutes, as a nats-server that is told nothing does.
	SyncDefault Sync = "default"
)

const envSync, envDir = "MSGQ_BENCH_BROKER", "MSGQ_BENCH_DIR"

// Main becomes the broker where [Start] started this program, and then does not
// return. Call it first in main.
func Main() {
	sync := Sync(os.Getenv(envSync))
	if sync == "" {
		return
	}
	if err := serve(sync, os.Getenv(envDir)); err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs until the parent ends, however that comes: then standard input is closed.
func serve(sync Sync, dir string) error {
	url, stop, err := start(sync, dir)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println(url)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func start(sync Sync, dir string) (url string, stop func(), err error) {
	if sync == SyncAlways {
		b, err := broker.Start(broker.Config{Dir: dir, Port: -1})
		if err != nil {
			return "", nil, err
		}
		return b.URL(), b.Shutdown, nil
	}
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		return "", nil, err
	}
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		return "", nil, errors.New("not ready within a minute")
	}
	return srv.ClientURL(), func() { srv.Shutdown(); srv.WaitForShutdown() }, nil
}

// Broker is a running broker.
type Broker struct {
	URL string

	cmd   *exec.Cmd
	stdin io.Closer
	dir   string
}

// Start runs a broker with its data in a new folder below dir; empty is the system's temporary one.
func Start(ctx context.Context, sync Sync, dir string) (*Broker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	dir, err = os.MkdirTemp(dir, "msgq-bench-")
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{dir: dir, cmd: exec.CommandContext(ctx, program)} //nolint:gosec // this program
	b.cmd.Env = append(os.Environ(), envSync+"="+string(sync), envDir+"="+dir)
	b.cmd.Stderr = os.Stderr
	if b.URL, err = b.run(); err != nil {
		b.Stop()
		return nil, fmt.Errorf("broker: %w", err)
	}
	return b, nil
}

// run starts the process and returns the URL that it prints.
func (b *Broker) run() (string, error) {
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if b.stdin, err = b.cmd.StdinPipe(); err != nil {
		return "", err
	}
	if err := b.cmd.Start(); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	return strings.TrimSpace(line), err
}

// Stop ends the broker and removes its data.
func (b *Broker) Stop() {
	if b.stdin != nil {
		_ = b.stdin.Close()
		_ = b.cmd.Wait()
	}
	_ = os.RemoveAll(b.dir)
}
