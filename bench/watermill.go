package main

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// mill is Watermill with the watermill-nats package that its authors recommend
// for production, and with what makes it fast: no provisioning, headers in NATS form,
// acknowledgements that do not wait. As it comes, its acknowledgements wait for the broker.
type mill struct {
	url       string
	ackAsync  bool
	publisher *wmnats.Publisher
}

var errNoBatches = errors.New("watermill has no batches")

func dialMill(_ context.Context, url string) (contender, error) { return newMill(url, true) }

func dialPlainMill(_ context.Context, url string) (contender, error) { return newMill(url, false) }

func newMill(url string, ackAsync bool) (contender, error) {
	publisher, err := wmnats.NewPublisher(wmnats.PublisherConfig{URL: url}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	return &mill{url, ackAsync, publisher}, nil
}

func (m *mill) publish(_ context.Context, data []byte) error {
	return m.publisher.Publish(subject, message.NewMessage(watermill.NewUUID(), data))
}

func (m *mill) publishBatch(context.Context, int, []byte) error { return errNoBatches }

func (m *mill) consume(ctx context.Context, concurrency int, handled func()) (stop func(), err error) {
	subscriber, err := wmnats.NewSubscriber(wmnats.SubscriberConfig{
		URL: m.url, QueueGroupPrefix: "mill", SubscribersCount: concurrency,
		JetStream: wmnats.JetStreamConfig{
			DurablePrefix: "mill", AckAsync: m.ackAsync,
			SubscribeOptions: []nats.SubOpt{
				nats.BindStream(stream), nats.DeliverAll(), nats.ManualAck(), nats.AckExplicit(), nats.MaxAckPending(ackPending),
			},
		},
	}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	messages, err := subscriber.Subscribe(ctx, subject)
	if err != nil {
		return nil, errors.Join(err, subscriber.Close())
	}
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for msg := range messages {
				handled()
				msg.Ack()
			}
		})
	}
	return func() {
		_ = subscriber.Close() // removes the durable that it made
		workers.Wait()
	}, nil
}

func (m *mill) close() { _ = m.publisher.Close() }
