package main

import (
	"context"
	"fmt"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

func resumeWarm(ctx context.Context, b *bed, report func(string, float64)) error {
	return resume(ctx, b, report, false)
}

func resumeCold(ctx context.Context, b *bed, report func(string, float64)) error {
	return resume(ctx, b, report, true)
}

// resume has all clients go, misses them 300 messages, and has all come back at
// once while another publisher goes on.
func resume(ctx context.Context, b *bed, report func(string, float64), restart bool) error {
	const clients, missed = 5000, 300
	f, err := b.open(100, ask("")) // the service reads the stream while clients are there
	if err != nil {
		return err
	}
	defer f.stop()
	if err := b.publish(2000, 256); err != nil {
		return err
	}
	position, err := b.pub.Publish(ctx, b.message(256))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := b.publish(missed, 256); err != nil {
		return err
	}
	if restart {
		if err := b.restartService(); err != nil {
			return err
		}
	}
	before, err := b.rate(ctx, 2*time.Second)
	if err != nil {
		return err
	}
	return b.reconnect(ctx, report, clients, position, before)
}

// rate is how fast one publisher goes by itself for a time.
func (b *bed) rate(ctx context.Context, d time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	m := b.message(256)
	m.Topic = "beside" // no client listens to it
	start := time.Now()
	n := 0
	for ; ctx.Err() == nil; n++ {
		if _, err := b.pub.Publish(b.ctx, m); err != nil {
			return 0, fmt.Errorf("publish: %w", err)
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

func (b *bed) reconnect(ctx context.Context, report func(string, float64), clients int, from msgq.Receipt, before float64) error {
	f, err := newFleet(b.service.addr)
	if err != nil {
		return err
	}
	defer f.stop()
	cpu, start := b.service.cpu(), time.Now()
	f.start()
	failed := make(chan error, 1)
	go func() {
		failed <- f.add(clients, 0, ask(fmt.Sprintf(`,"from":{"after":%d}`, from.Seq)))
	}()
	meanwhile, stop := context.WithCancel(ctx)
	rate := make(chan float64, 1)
	go func() {
		r, err := b.rate(meanwhile, time.Minute)
		if err != nil {
			r = -1
		}
		rate <- r
	}()
	if err := <-failed; err != nil {
		stop()
		<-rate
		return err
	}
	err = f.waitMessages(ctx, int64(clients)*300)
	report("s until all are level", time.Since(start).Seconds())
	report("s of service CPU", (b.service.cpu() - cpu).Seconds())
	stop()
	report("publish rate meanwhile, of before", <-rate/before)
	return err
}

// stalled fills the buffers of clients that do not read, and looks at those that do.
func stalled(ctx context.Context, b *bed, report func(string, float64)) error {
	const clients = 1000
	f, err := b.open(clients, ask(""))
	if err != nil {
		return err
	}
	defer f.stop()
	if _, _, _, err := b.paceTo(f, clients, time.Second); err != nil {
		return err
	}
	_, _, latencies, err := b.paceTo(f, clients, 6*time.Second)
	if err != nil {
		return err
	}
	alone := millis(percentile99(latencies))
	before := b.service.rss()
	s, err := newFleet(b.service.addr)
	if err != nil {
		return err
	}
	s.start()
	defer s.stop()
	if err := s.add(clients, 4096, ask("")); err != nil {
		return err
	}
	if err := s.waitSubscribed(ctx, clients); err != nil {
		return err
	}
	s.stall()
	had := f.messages.Load()
	if err := b.publish(4000, 2048); err != nil { // more than the kernel takes for a client
		return err
	}
	if err := f.waitMessages(ctx, had+4000*clients); err != nil {
		return err
	}
	_, _, latencies, err = b.paceTo(f, clients, 6*time.Second)
	if err != nil {
		return err
	}
	beside := millis(percentile99(latencies))
	report("p99 alone, ms", alone)
	report("p99 beside stalled ones, ms", beside)
	report("ratio", beside/alone)
	report("resident MiB more with stalled ones", float64(b.service.rss()-before)/(1<<20))
	return nil
}
