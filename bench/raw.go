package main

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// raw is nats.go alone, with Synadia's own extension for atomic batches.
type raw struct {
	nc *nats.Conn
	js jetstream.JetStream
}

func dialRaw(_ context.Context, url string) (contender, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &raw{nc, js}, nil
}

func (r *raw) publish(ctx context.Context, data []byte) error {
	_, err := r.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data})
	return err
}

func (r *raw) publishBatch(ctx context.Context, n int, data []byte) error {
	batch := make([]*nats.Msg, n)
	for i := range batch {
		batch[i] = &nats.Msg{Subject: subject, Header: nats.Header{}, Data: data} // PublishMsgBatch writes to it
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, r.js, batch)
	return err
}

func (r *raw) consume(ctx context.Context, concurrency int, handled func()) (stop func(), err error) {
	consumer, err := r.js.CreateConsumer(ctx, stream, consumerConfig("raw"))
	if err != nil {
		return nil, err
	}
	handle := func(msg jetstream.Msg) {
		handled()
		_ = msg.Ack() // lost with the connection only, and then the count stops
	}
	var workers sync.WaitGroup
	msgs := make(chan jetstream.Msg)
	deliver := handle
	if concurrency > 1 { // Consume calls one handler at a time
		deliver = func(msg jetstream.Msg) { msgs <- msg }
		for range concurrency {
			workers.Go(func() {
				for msg := range msgs {
					handle(msg)
				}
			})
		}
	}
	consuming, err := consumer.Consume(deliver)
	if err != nil {
		return nil, err
	}
	return func() {
		consuming.Stop()
		<-consuming.Closed()
		close(msgs)
		workers.Wait()
		_ = r.js.DeleteConsumer(ctx, stream, "raw")
	}, nil
}

func (r *raw) close() { r.nc.Close() }
