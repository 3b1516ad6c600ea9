package msgq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Secrets are kept apart from the other settings, which everybody sees who may look at a consumer: in a key-value bucket
// that is created with the first, by queue and id. A secret never changes: settings name exactly one.
//
// Of changes at the same time one takes the place of the others without seeing them, and none may drop a secret that the
// settings name in the end; a seek writes the settings too. So each stores the one it names before the settings and again
// after them, and drops one that it found only as it found it, if settings read later name another.

// errSecretGone is returned for a secret to be kept that is not there.
var errSecretGone = fmt.Errorf("%w: push.secret was left out, and the one that the queue had is gone: give one, or an empty one",
	ErrInvalidQueue)

// PushSecret returns what signs the queue's webhook requests, as it was set: the one that its settings
// name by [Push].SecretID. Errors: [ErrNotFound] where there is none, [ErrUnavailable].
func (c *Client) PushSecret(ctx context.Context, queue, secretID string) (string, error) {
	raw, err := c.askLeader(ctx, c.names.secretStream(), question{Last: c.names.secret(queue, secretID)})
	if isNoSecret(err) || err == nil && len(raw.Data) == 0 { // empty: a marker of its deletion in the bucket
		return "", fmt.Errorf("%w: queue %q has no such push secret", ErrNotFound, queue)
	}
	if err != nil {
		return "", brokerError("read the push secret", err)
	}
	return string(raw.Data), nil
}

// isNoSecret reports that there is none, or not even the bucket.
func isNoSecret(err error) bool {
	return errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// nameSecret takes the secret out and leaves its name; one that was not given is the one of old. It is
// empty where there is nothing to store.
func (c *Client) nameSecret(ctx context.Context, q Queue, old *Push) (secret string, err error) {
	p := q.Push
	if p == nil {
		return "", nil
	}
	given := p.Secret
	p.Secret, p.SecretID = nil, ""
	switch {
	case given == nil && old.signs():
		p.SecretID = old.SecretID
		secret, err = c.PushSecret(ctx, q.Name, p.SecretID)
		if errors.Is(err, ErrNotFound) {
			err = errSecretGone
		}
		return secret, err
	case given != nil && *given != "":
		p.SecretID = rand.Text()
		return *given, nil
	}
	return "", nil
}

// queueAndSecret is the queue as it stands, with the secret that it names; empty: none, or it is gone.
func (c *Client) queueAndSecret(ctx context.Context, name string) (Queue, string, *jetstream.ConsumerInfo, error) {
	for gone := ""; ; {
		info, err := c.queueConsumer(ctx, name)
		if err != nil {
			return Queue{}, "", nil, err
		}
		q, _ := c.fromConsumer(info)
		if !q.Push.signs() || q.Push.SecretID == gone {
			return q, "", info, nil
		}
		secret, err := c.PushSecret(ctx, name, q.Push.SecretID)
		if !errors.Is(err, ErrNotFound) {
			return q, secret, info, err
		}
		gone = q.Push.SecretID // maybe by a change made just now
	}
}

// storeSecret keeps the secret that the settings name; empty: nothing to keep.
func (c *Client) storeSecret(ctx context.Context, q Queue, secret string) error {
	if secret == "" {
		return nil
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	bucket, err := c.secretBucket(ctx)
	if err != nil {
		return err
	}
	_, err = bucket.PutString(ctx, secretKey(q.Name, q.Push.SecretID), secret)
	return brokerError("store the push secret", err)
}

// dropSecrets deletes those that the queue's settings do not name.
func (c *Client) dropSecrets(ctx context.Context, queue string) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for next := uint64(1); ; {
		raw, err := c.askLeader(ctx, c.names.secretStream(), question{Seq: next, Next: c.names.secretsOf(queue)})
		if isNoSecret(err) {
			return nil
		}
		if err != nil {
			return brokerError("look for push secrets", err)
		}
		next = raw.Sequence + 1
		named, err := c.namedSecret(ctx, queue) // asked after the secret: stored again since, that has another sequence
		if err != nil {
			return err
		}
		if raw.Subject == named {
			continue
		}
		if err := c.purge(ctx, stored{c.names.secretStream(), raw.Subject}, raw.Sequence); err != nil {
			return brokerError("delete the push secret", err)
		}
	}
}

// namedSecret is the subject of the secret that the queue's settings name, empty where there is no such, or no queue.
func (c *Client) namedSecret(ctx context.Context, queue string) (string, error) {
	info, err := c.queueConsumer(ctx, queue)
	if errors.Is(err, ErrQueueNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	q, _ := c.fromConsumer(info)
	if !q.Push.signs() {
		return "", nil
	}
	return c.names.secret(queue, q.Push.SecretID), nil
}

// deleteSecrets leaves none of the queue's. There may be none.
func (c *Client) deleteSecrets(ctx context.Context, queue string) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	err := c.purge(ctx, stored{c.names.secretStream(), c.names.secretsOf(queue)}, 0)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return brokerError("delete the push secrets", err)
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
