package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// service is the publish service in a process of its own.
type service struct {
	url string
	cmd *exec.Cmd
}

// startService returns when the service is ready.
func startService(ctx context.Context, program, natsURL string) (*service, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--nats-url="+natsURL, "--publish-addr="+addr) //nolint:gosec // the user's choice
	s := &service{url: "http://" + addr, cmd: cmd}
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = append(os.Environ(), "MSGQ_LOG_LEVEL=warn", "MSGQ_MAX_BYTES=4GiB")
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if s.ready(ctx) {
			return s, nil
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // a process tells nobody that it is ready
	}
	s.stop()
	return nil, errors.New("the service was not ready within 10s")
}

func (s *service) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (s *service) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// cpu is how long the process has run on a processor.
func (s *service) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, text, _ := strings.Cut(string(stat), ") ") // the name before it may have spaces
	fields := strings.Fields(text)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc: %q", stat)
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(errUser, errSystem) // ticks of 1/100 s
}

// peakMemory is the most that was resident at a time, in bytes.
func (s *service) peakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, err = fmt.Sscan(text, &kib)
	return kib << 10, err
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
