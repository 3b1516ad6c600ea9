// Package msgq publishes events to a NATS JetStream stream and reads them again:
// live, with exact resume, or from named queues with acknowledgement, retries,
// dead letters. All state is in JetStream; a [Client] can be lost at any time.
//
// # Publishing
//
// [Client.Publish] returns when the message is on the broker's disk. A message
// with an ID can be published again after an error: it is stored once.
//
// # Live subscriptions
//
// [Client.Live] reads every matching message in order. All live subscriptions of
// a process share one consumer and a ring of the newest messages; a slow reader
// just reads from further back, and loses nothing but what the stream's
// retention removes. Resume with [After] and the last [Position].
//
// # Queues
//
// [Client.Subscribe] runs a handler on a queue's messages: each goes to one
// member, comes again with growing delays when the handler fails, and after
// MaxAttempts deliveries is a [DeadLetter]. Use [Client.Join] where something
// other than a handler decides when a message is done.
//
// # When the broker is away
//
// Publishing fails with [ErrUnavailable]: at once, also for calls under way when
// the connection ends, or after 4 s where the broker does not answer. Live
// subscriptions and queue members wait and go on by themselves.
package msgq
