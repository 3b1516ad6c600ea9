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

// nameSecret takes the secret out and leaves its name; one that was not given is the one of old. It is
// empty where there is nothing to store.
func (p *Push) nameSecret(old *Push) string {
	if p == nil {
		return ""
	}
	secret := p.Secret
	p.Secret, p.SecretID = nil, ""
	switch {
	case secret == nil && old != nil:
		p.SecretID = old.SecretID
		return ""
	case secret == nil || *secret == "":
		return ""
	}
	p.SecretID = rand.Text()
	return *secret
}

// storeSecret keeps a secret that was named; what signs no more is deleted after the settings have changed.
func (c *Client) storeSecret(ctx context.Context, queue, secret string) error {
	if secret == "" {
		return nil
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	bucket, err := c.secretBucket(ctx)
	if err != nil {
		return err
	}
	_, err = bucket.PutString(ctx, queue, secret)
	return brokerError("store the push secret", err)
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
