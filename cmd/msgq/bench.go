package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nuid"
	"github.com/schollz/progressbar/v3"
)

type benchCommand struct {
	Messages    int  `short:"n" default:"10000" help:"Messages to publish."`
	Size        int  `default:"256" help:"Bytes of data of each, at least 64."`
	Publishers  int  `default:"32" help:"Requests at a time."`
	Subscribers int  `default:"1" help:"WebSocket connections that receive every message."`
	JSON        bool `name:"json" help:"One JSON object, as where the output is no terminal."`
	publishFlag
	subscribeFlag
}

// Help is shown below the flags.
func (benchCommand) Help() string {
	return `Publishes over HTTP to a topic of its own, one message a request, and receives what it
publishes. The rate of delivery counts every message at every subscriber; its latency
is from the publish request to the message at the subscriber, on this machine's clock.
The messages are forgotten after ten minutes.

Examples:
  msgq bench
  msgq bench -n 50000 --publishers 64 --subscribers 100
  msgq bench --json | jq .publish`
}

// Limits of a bench: what is more wants a tool on several machines.
const (
	maxBenchMessages = 10_000_000
	maxBenchWorkers  = 10_000
	minBenchSize     = 64
	maxBenchSize     = 1 << 20
)

func (c *benchCommand) check() error {
	for _, number := range []struct {
		flag            string
		got, least, top int
	}{
		{"--messages", c.Messages, 1, maxBenchMessages},
		{"--size", c.Size, minBenchSize, maxBenchSize},
		{"--publishers", c.Publishers, 1, maxBenchWorkers},
		{"--subscribers", c.Subscribers, 0, maxBenchWorkers},
	} {
		if number.got < number.least || number.got > number.top {
			return &useError{fmt.Sprintf("%s %d: %d to %d are allowed", number.flag, number.got, number.least, number.top)}
		}
	}
	return nil
}

// Run measures.
func (c *benchCommand) Run(ctx context.Context, s streams) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bar := progressbar.DefaultSilent(int64(c.Messages))
	if isTerminal(s.err) {
		bar = progressbar.Default(int64(c.Messages), "publish")
	}
	b := &bench{cmd: c, topic: "bench." + nuid.Next(), cancel: cancel, published: func() { _ = bar.Add(1) }}
	publish, deliver, err := b.run(ctx)
	if err != nil {
		_ = bar.Exit()
		return err
	}
	_ = bar.Finish()
	return c.report(s, publish, deliver)
}

func (c *benchCommand) report(s streams, publish, deliver measured) error {
	report := map[string]any{
		"messages": c.Messages, "size": c.Size, "publishers": c.Publishers, "subscribers": c.Subscribers, "publish": publish.summary(),
	}
	if c.Subscribers > 0 {
		report["deliver"] = deliver.summary()
	}
	if c.JSON || !isTerminal(s.out) {
		return json.NewEncoder(s.out).Encode(report)
	}
	rows := [][]string{{"", "MESSAGES/S", "P50", "P95", "P99", "MAX"}, publish.row("publish")}
	if c.Subscribers > 0 {
		rows = append(rows, deliver.row("deliver"))
	}
	return printTable(s.out, rows)
}

// measured is how long each of many took, and all together.
type measured struct {
	each  []time.Duration // sorted by summary and row
	total time.Duration
}

func (m measured) rate() float64 { return float64(len(m.each)) / m.total.Seconds() }

func (m measured) percentile(p float64) time.Duration {
	slices.Sort(m.each)
	return m.each[int(p*float64(len(m.each)-1))]
}

// summary is in messages a second and milliseconds.
func (m measured) summary() map[string]float64 {
	ms := func(p float64) float64 { return float64(m.percentile(p).Microseconds()) / 1000 }
	return map[string]float64{"per_second": float64(int(m.rate())), "p50_ms": ms(0.5), "p95_ms": ms(0.95), "p99_ms": ms(0.99), "max_ms": ms(1)}
}

func (m measured) row(name string) []string {
	row := []string{name, strconv.Itoa(int(m.rate()))}
	for _, p := range []float64{0.5, 0.95, 0.99, 1} {
		row = append(row, m.percentile(p).Round(10*time.Microsecond).String())
	}
	return row
}
