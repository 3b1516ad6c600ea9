package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// bed is a broker, a subscribe service and a publisher.
type bed struct {
	ctx     context.Context
	broker  *brokerproc.Broker
	service *service
	pub     *msgq.Client
	profile string
	n       int
}

func newBed(ctx context.Context, e environment, name string) (*bed, error) {
	broker, err := brokerproc.Start(ctx, e.sync, e.dir)
	if err != nil {
		return nil, err
	}
	b := &bed{ctx: ctx, broker: broker}
	if e.profile != "" {
		b.profile = e.profile + "/" + name
	}
	if b.service, err = startService(ctx, "127.0.0.1:0", broker.URL, b.profile); err != nil {
		broker.Stop()
		return nil, err
	}
	b.pub, err = msgq.Connect(ctx, msgq.Config{URL: broker.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.close()
		return nil, fmt.Errorf("publisher: %w", err)
	}
	return b, nil
}

func (b *bed) close() {
	if b.pub != nil {
		b.pub.Close()
	}
	b.service.stop()
	b.broker.Stop()
}

// restartService has it come up again on its address without what it had in memory.
func (b *bed) restartService() (err error) {
	b.service.kill()
	b.service, err = startService(b.ctx, b.service.addr, b.broker.URL, b.profile)
	return err
}

const topic = "load"

// ask is what a client asks for; more are further fields.
func ask(more string) func(int) string {
	return func(int) string {
		return `{"type":"subscribe","id":"s","topics":["` + topic + `"]` + more + `}`
	}
}

// message has about 256 bytes unless told otherwise, its time in t and its number in n.
func (b *bed) message(size int) msgq.Message {
	b.n++
	data := fmt.Sprintf(`{"t":%d,"n":%d,"k":%d,"fill":"`, time.Now().UnixNano(), b.n, b.n%100)
	data += strings.Repeat("x", max(0, size-len(data)-2)) + `"}`
	return msgq.Message{Topic: topic, DataContentType: "application/json", Data: []byte(data)}
}

// publish sends n messages as fast as they go.
func (b *bed) publish(n, size int) error {
	items := make([]msgq.BatchItem, n)
	for i := range items {
		items[i].Message = b.message(size)
	}
	for len(items) > 0 {
		part := items[:min(1000, len(items))]
		items = items[len(part):]
		for _, r := range b.pub.PublishBatch(b.ctx, part) {
			if r.Err != nil {
				return fmt.Errorf("publish: %w", r.Err)
			}
		}
	}
	return nil
}

// pace publishes at a rate for a time, each message by itself, and returns how many.
func (b *bed) pace(perSecond int, d time.Duration) (int, error) {
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	n := 0
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		<-ticker.C
		m := b.message(256)
		wg.Go(func() {
			if _, err := b.pub.Publish(b.ctx, m); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return n, failed
}
