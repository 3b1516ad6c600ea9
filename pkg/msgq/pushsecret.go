package msgq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Secrets are kept apart from the other settings, which everybody sees who may
// look at a consumer: in a key-value bucket, by queue. It is created with the first.

// PushSecret returns what signs the queue's webhook requests, as it was set.
// Errors: [ErrNotFound] where there is none, [ErrUnavailable].
func (c *Client) PushSecret(ctx context.Context, queue string) (string, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	bucket, err := c.js.KeyValue(ctx, c.names.secrets)
	var entry jetstream.KeyValueEntry
	if err == nil {
		entry, err = bucket.Get(ctx, queue)
	}
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", fmt.Errorf("%w: queue %q has no push secret", ErrNotFound, queue)
	}
	if err != nil {
		return "", brokerError("read the push secret", err)
	}
	return string(entry.Value()), nil
}

// storeSecret takes the secret out of push and leaves its name there; one that was
// not given is the one of old. What signs no more is deleted after the settings have changed.
func (c *Client) storeSecret(ctx context.Context, queue string, push, old *Push) error {
	if push == nil {
		return nil
	}
	secret := push.Secret
	push.Secret, push.SecretID = nil, ""
	switch {
	case secret == nil && old != nil:
		push.SecretID = old.SecretID
		return nil
	case secret == nil || *secret == "":
		return nil
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	bucket, err := c.secretBucket(ctx)
	if err != nil {
		return err
	}
	if _, err := bucket.PutString(ctx, queue, *secret); err != nil {
		return brokerError("store the push secret", err)
	}
	push.SecretID = rand.Text()
	return nil
}

// deleteSecret leaves nothing of it. There may be none.
func (c *Client) deleteSecret(ctx context.Context, queue string) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	bucket, err := c.js.KeyValue(ctx, c.names.secrets)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	}
	if err == nil {
		err = bucket.Purge(ctx, queue)
	}
	return brokerError("delete the push secret", err)
}

func (c *Client) secretBucket(ctx context.Context) (jetstream.KeyValue, error) {
	bucket, err := c.js.KeyValue(ctx, c.names.secrets)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return bucket, brokerError("look for push secrets", err)
	}
	if c.cfg.NoProvision {
		return nil, fmt.Errorf("%w: the key-value bucket %s is missing", ErrUnavailable, c.names.secrets)
	}
	bucket, err = c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: c.names.secrets, Description: "Signs requests to webhooks", Replicas: c.cfg.Replicas,
	})
	return bucket, brokerError("create the bucket for push secrets", err)
}
