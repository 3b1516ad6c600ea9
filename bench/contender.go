package main

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	stream      = "BENCH"
	topic       = "load"
	subject     = "bench.t." + topic // where msgq keeps the topic: all publish to it
	payloadSize = 256
	largeBatch  = 1000
	// ackPending is how many messages a consumer may have out: enough to hold up none.
	ackPending = 20_000
)

// contender is one way to do what is measured. All of them publish to the same
// stream and read from it, each over a connection of its own.
type contender interface {
	// publish returns when the broker has answered. Safe for concurrent use.
	publish(ctx context.Context, data []byte) error
	// publishBatch is publish of n messages at once.
	publishBatch(ctx context.Context, n int, data []byte) error
	// consume reads the stream from its start with a durable of its own: it calls
	// handled for each message, as many at once as asked for, and acknowledges it without
	// waiting for the broker. stop ends that and removes the durable.
	consume(ctx context.Context, concurrency int, handled func()) (stop func(), err error)
	close()
}

// consumerConfig is what each contender's durable is like.
func consumerConfig(name string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: name, FilterSubject: subject,
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy, MaxAckPending: ackPending,
	}
}
