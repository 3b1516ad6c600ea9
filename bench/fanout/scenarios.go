package main

import (
	"context"
	"fmt"
	"time"
)

type runner func(ctx context.Context, b *bed, report func(metric string, value float64)) error

const (
	perDelivery = "service CPU per delivery, µs"
	p99         = "p99 of all deliveries, ms"
)

var scenarios = []scenario{
	{"burst", "1,000 clients, 3,000 messages as fast as they go", []metric{
		{perDelivery, "≤ 0.5"}, {"deliveries/s", "≥ 1,500,000"},
	}, burst(sockets)},
	{"paced", "1,000 clients, 200 messages/s", []metric{{perDelivery, "≤ 3"}, {p99, "≤ 20"}}, paced(sockets)},
	{"sse", "1,000 streams of server-sent events, 200 messages/s", []metric{{perDelivery, ""}, {p99, ""}}, paced(streams)},
	{"sse-burst", "1,000 streams of server-sent events, 3,000 messages as fast as they go", []metric{
		{perDelivery, ""}, {"deliveries/s", ""},
	}, burst(streams)},
	{"many", "5,000 clients, one publisher of 200 messages/s", []metric{{perDelivery, "≤ 1.5"}, {p99, "≤ 120"}, {"deliveries/s", ""}}, many},
	{"idle", "9,000 idle connections, a subscription each", []metric{{"resident KiB each", "≤ 10"}}, idle},
	{"filters", "5,000 clients with distinct filters, 1 in 100 matching; 50 without", []metric{
		{"service CPU per message, 50 without filter, µs", ""}, {"service CPU per message, 5,000 filters, µs", ""}, {"ratio", "≤ 2"},
	}, filtered},
	{"resume", "5,000 clients resume 300 messages each", []metric{
		{"s until all are level", "≤ 2"}, {"s of service CPU", "≤ 3"}, {"publish rate meanwhile, of before", "≥ 0.5"},
	}, resumeWarm},
	{"resume-cold", "the same after a restart", []metric{
		{"s until all are level", "≤ 4"}, {"s of service CPU", ""}, {"publish rate meanwhile, of before", "≥ 0.5"},
	}, resumeCold},
	{"stalled", "1,000 clients, 200 messages/s; with 1,000 stalled ones", []metric{
		{"p99 alone, ms", ""}, {"p99 beside stalled ones, ms", ""}, {"ratio", "≤ 1.2"},
		{"resident MiB more with stalled ones", "≤ 1,000 × 1 MiB"},
	}, stalled},
}

// opener starts a fleet of clients that want all messages.
type opener func(b *bed, n int) (*fleet, error)

func sockets(b *bed, n int) (*fleet, error) { return b.open(n, ask("")) }

func streams(b *bed, n int) (*fleet, error) {
	f, err := newFleet(b.service.addr)
	if err != nil {
		return nil, err
	}
	f.events = true
	return b.fill(f, n, func(int) string { return "" })
}

// open starts a fleet of subscribed WebSocket clients.
func (b *bed) open(n int, request func(int) string) (*fleet, error) {
	f, err := newFleet(b.service.addr)
	if err != nil {
		return nil, err
	}
	return b.fill(f, n, request)
}

func (b *bed) fill(f *fleet, n int, request func(int) string) (*fleet, error) {
	f.start()
	if err := f.add(n, 0, request); err != nil {
		f.stop()
		return nil, err
	}
	if err := f.waitSubscribed(b.ctx, n); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func burst(open opener) runner {
	return func(ctx context.Context, b *bed, report func(string, float64)) error {
		const clients, messages = 1000, 3000
		f, err := open(b, clients)
		if err != nil {
			return err
		}
		defer f.stop()
		if err := b.publish(100, 256); err != nil {
			return err
		}
		if err := f.waitMessages(ctx, 100*clients); err != nil {
			return err
		}
		cpu, start := b.service.cpu(), time.Now()
		if err := b.publish(messages, 256); err != nil {
			return err
		}
		if err := f.waitMessages(ctx, (100+messages)*clients); err != nil {
			return err
		}
		report(perDelivery, micros(b.service.cpu()-cpu)/(clients*messages))
		report("deliveries/s", clients*messages/time.Since(start).Seconds())
		return nil
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// paceTo publishes 200 messages a second, waits for the last delivery, and returns CPU and latencies.
func (b *bed) paceTo(f *fleet, each float64, d time.Duration) (messages int, cpu time.Duration, latencies []time.Duration, err error) {
	before, had := b.service.cpu(), f.messages.Load()
	f.takeLatencies(true)
	if messages, err = b.pace(200, d); err != nil {
		return 0, 0, nil, fmt.Errorf("publish: %w", err)
	}
	if err := f.waitMessages(b.ctx, had+int64(float64(messages)*each)); err != nil {
		return 0, 0, nil, err
	}
	return messages, b.service.cpu() - before, f.takeLatencies(false), nil
}

func paced(open opener) runner {
	return func(_ context.Context, b *bed, report func(string, float64)) error {
		const clients = 1000
		f, err := open(b, clients)
		if err != nil {
			return err
		}
		defer f.stop()
		if _, _, _, err := b.paceTo(f, clients, time.Second); err != nil { // to warm up
			return err
		}
		n, cpu, latencies, err := b.paceTo(f, clients, 8*time.Second)
		if err != nil {
			return err
		}
		report(perDelivery, micros(cpu)/float64(n*clients))
		report(p99, millis(percentile99(latencies)))
		return nil
	}
}

func many(_ context.Context, b *bed, report func(string, float64)) error {
	const clients = 5000
	f, err := b.open(clients, ask(""))
	if err != nil {
		return err
	}
	defer f.stop()
	if _, _, _, err := b.paceTo(f, clients, time.Second); err != nil { // to warm up
		return err
	}
	start := time.Now()
	n, cpu, latencies, err := b.paceTo(f, clients, 6*time.Second)
	if err != nil {
		return err
	}
	report(perDelivery, micros(cpu)/float64(n*clients))
	report(p99, millis(percentile99(latencies)))
	report("deliveries/s", float64(n*clients)/time.Since(start).Seconds())
	return nil
}

func idle(ctx context.Context, b *bed, report func(string, float64)) error {
	const clients = 9000
	before := b.service.rss()
	f, err := b.open(clients, ask(""))
	if err != nil {
		return err
	}
	defer f.stop()
	pause(ctx, 45*time.Second) // what a storm of connects left behind goes back to the system by then
	report("resident KiB each", float64(b.service.rss()-before)/clients/1024)
	return nil
}

func filtered(_ context.Context, b *bed, report func(string, float64)) error {
	const clients, every = 5000, 100
	measure := func(n int, each float64, request func(int) string) (float64, error) {
		f, err := b.open(n, request)
		if err != nil {
			return 0, err
		}
		defer f.stop()
		if _, _, _, err := b.paceTo(f, each, time.Second); err != nil {
			return 0, err
		}
		messages, cpu, _, err := b.paceTo(f, each, 6*time.Second)
		return micros(cpu) / float64(messages), err
	}
	without, err := measure(clients/every, clients/every, ask(""))
	if err != nil {
		return err
	}
	with, err := measure(clients, clients/every, func(i int) string {
		return ask(fmt.Sprintf(`,"filter":"data.k == %d && data.n > -%d"`, i%every, i+1))(i)
	})
	if err != nil {
		return err
	}
	report("service CPU per message, 50 without filter, µs", without)
	report("service CPU per message, 5,000 filters, µs", with)
	report("ratio", with/without)
	return nil
}
