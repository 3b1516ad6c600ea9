package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// payload is JSON of 256 bytes.
var payload = `{"n":1,"text":"` + strings.Repeat("x", 239) + `"}`

// singleRow is one message a request, over so many connections.
type singleRow struct {
	connections int
	rate        float64       // the goal, a second
	p99         time.Duration // the goal; 0: none

	rates, p50s, p99s, cpus []float64 // of each round; durations in ms, CPU in µs a message
}

func (r *singleRow) measure(ctx context.Context, s *service, d time.Duration) error {
	script, err := os.CreateTemp("", "*.lua")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(script.Name()) }()
	_, err = fmt.Fprintf(script, "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = '%s'\n", payload)
	if err := errors.Join(err, script.Close()); err != nil {
		return err
	}
	before, err := s.cpu()
	if err != nil {
		return err
	}
	//nolint:gosec // numbers and our own names
	out, err := exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", r.connections), fmt.Sprintf("-d%ds", int(d.Seconds())),
		"--latency", "-s", script.Name(), s.url+"/v1/topics/bench.wrk/messages").CombinedOutput()
	if err != nil {
		return fmt.Errorf("wrk: %w\n%s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	return r.read(string(out), after-before)
}

var figures = regexp.MustCompile(`(?s)\n\s+50%\s+(\S+).*\n\s+99%\s+(\S+).*\s(\d+) requests in.*Requests/sec:\s+(\S+)`)

// read takes the figures from what wrk wrote.
func (r *singleRow) read(out string, cpu time.Duration) error {
	found := figures.FindStringSubmatch(out)
	if found == nil || strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		return fmt.Errorf("wrk says:\n%s", out)
	}
	p50, err50 := time.ParseDuration(found[1])
	p99, err99 := time.ParseDuration(found[2])
	requests, errCount := strconv.ParseFloat(found[3], 64)
	rate, errRate := strconv.ParseFloat(found[4], 64)
	r.rates = append(r.rates, rate)
	r.p50s = append(r.p50s, p50.Seconds()*1000)
	r.p99s = append(r.p99s, p99.Seconds()*1000)
	r.cpus = append(r.cpus, cpu.Seconds()*1e6/requests)
	fmt.Fprintf(os.Stderr, "%d connections: %.0f/s, p99 %s\n", r.connections, rate, p99)
	return errors.Join(err50, err99, errCount, errRate)
}
