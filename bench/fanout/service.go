package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	subscribe "github.com/asyncmsglib/msgq/services/subscribe/server"
)

const envService, envProfile = "MSGQ_BENCH_SERVICE", "MSGQ_BENCH_PROFILE"

// serviceMain becomes the subscribe service where start started this program.
func serviceMain() {
	addr := os.Getenv(envService)
	if addr == "" {
		return
	}
	if err := serve(addr); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs until the parent ends, however that comes: then standard input is closed.
func serve(addr string) error {
	cfg, err := subscribe.ParseConfig()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println(listener.Addr())
	if prefix := os.Getenv(envProfile); prefix != "" {
		defer profileTo(prefix)()
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return subscribe.Serve(ctx, listener, cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

func profileTo(prefix string) (stop func()) {
	runtime.SetMutexProfileFraction(10)
	f, err := os.Create(prefix + ".cpu") //nolint:gosec // the one who runs this names the folder
	if err != nil || pprof.StartCPUProfile(f) != nil {
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
		for _, name := range []string{"allocs", "mutex"} {
			if f, err := os.Create(prefix + "." + name); err == nil { //nolint:gosec // the same
				_ = pprof.Lookup(name).WriteTo(f, 0)
				_ = f.Close()
			}
		}
	}
}

// service is the subscribe service in a process of its own.
type service struct {
	addr  string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startService starts it on addr, 127.0.0.1:0 for any free port, and waits until it is ready.
func startService(ctx context.Context, addr, broker, profile string) (*service, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	s := &service{cmd: exec.CommandContext(ctx, program)} //nolint:gosec // this program
	s.cmd.Env = append(os.Environ(), envService+"="+addr, envProfile+"="+profile, "MSGQ_NATS_URL="+broker, "MSGQ_MAX_CONNECTIONS=20000")
	s.cmd.Stderr = os.Stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	s.addr = strings.TrimSpace(line)
	if err == nil {
		err = s.ready(ctx)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("service: %w", err)
	}
	return s, nil
}

func (s *service) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("ready: %w", err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		pause(ctx, 20*time.Millisecond)
	}
	return fmt.Errorf("not ready: %w", ctx.Err())
}

// kill ends it as a crash would.
func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *service) stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
}

// cpu is the time that the process has used, user and system, to 10 ms.
func (s *service) cpu() time.Duration {
	text, err := os.ReadFile(s.proc("stat"))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * (time.Second / 100) // USER_HZ is 100 on Linux
}

// rss is the process's resident memory in bytes.
func (s *service) rss() int64 {
	text, err := os.ReadFile(s.proc("statm"))
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

func (s *service) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
