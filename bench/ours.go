package main

import (
	"context"
	"log/slog"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// ours is this library.
type ours struct{ client *msgq.Client }

func dialOurs(ctx context.Context, url string) (contender, error) {
	client, err := msgq.Connect(ctx, msgq.Config{URL: url, Stream: stream, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &ours{client}, nil
}

func (o *ours) publish(ctx context.Context, data []byte) error {
	_, err := o.client.Publish(ctx, msgq.Message{Topic: topic, Data: data})
	return err
}

func (o *ours) publishBatch(ctx context.Context, n int, data []byte) error {
	items := make([]msgq.BatchItem, n)
	for i := range items {
		items[i].Message = msgq.Message{Topic: topic, Data: data}
	}
	for _, result := range o.client.PublishBatch(ctx, items) {
		if result.Err != nil {
			return result.Err
		}
	}
	return nil
}

func (o *ours) consume(ctx context.Context, concurrency int, handled func()) (stop func(), err error) {
	queue := msgq.Queue{Name: "ours", Topics: []string{topic}, From: msgq.FromAll()}
	sub, err := o.client.Subscribe(ctx, queue, func(context.Context, *msgq.Delivery) error {
		handled()
		return nil
	}, msgq.WithConcurrency(concurrency))
	if err != nil {
		return nil, err
	}
	return func() {
		sub.Stop()
		_ = o.client.DeleteQueue(ctx, "ours")
	}, nil
}

func (o *ours) close() { o.client.Close() }
