package msgq

import (
	"context"
	"encoding/base64"
	"regexp"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StoreDeadLetter is Reject as far as it comes when the broker dies before the acknowledgement.
func (d *Delivery) StoreDeadLetter(ctx context.Context, reason string) error {
	return d.member.c.storeDeadLetter(ctx, d, reason)
}

// PublishRedriven is Redrive of one dead letter as far as it comes when the process dies before the removal.
func (c *Client) PublishRedriven(ctx context.Context, queue string, deadSeq uint64) error {
	dead, err := c.js.Stream(ctx, c.names.dead)
	if err != nil {
		return err
	}
	raw, err := dead.GetMsg(ctx, deadSeq)
	if err != nil {
		return err
	}
	_, err = c.js.PublishMsg(ctx, c.names.redriven(queue, raw))
	return err
}

// RedriveMeanwhile is Redrive with something done between what the queue gets and its removal from the dead letters.
func (c *Client) RedriveMeanwhile(ctx context.Context, queue string, sel Selection, meanwhile func()) (int, error) {
	return c.clearDead(ctx, queue, sel, func(ctx context.Context, raw *jetstream.RawStreamMsg) (bool, error) {
		counts, err := c.redriveOne(ctx, queue, raw)
		meanwhile()
		return counts, err
	})
}

// ScheduleRetry is a Nack with a long delay as far as it comes when the process dies before the acknowledgement.
func (d *Delivery) ScheduleRetry(ctx context.Context, delay time.Duration) error {
	return d.scheduleRetry(ctx, d.member.Queue().Name, time.Now().Add(delay), d.Attempt)
}

// WithDrainWait changes how long a drain lets handlers get to what waits for them.
func WithDrainWait(d time.Duration) SubscribeOption {
	return func(o *subscribeOptions) { o.drainWait = d }
}

// CheckTag checks that whatever passes for a tag answers a delivery of its queue.
func CheckTag(t *testing.T, text string) {
	for _, text := range []string{text, base64.RawURLEncoding.EncodeToString([]byte(text))} {
		parsed, _, err := newNames("EVENTS").parseTag("q", text)
		if err == nil && !regexp.MustCompile(`^\$JS\.ACK\.([\w-]+\.[\w-]+\.)?EVENTS(_LATER)?\.q(\.[0-9]+){5}(\.[\w-]+)?$`).MatchString(parsed.reply) {
			t.Errorf("%q is taken for an answer to %q", text, parsed.reply)
		}
	}
}

// Waiting is how many messages wait here for a handler.
func (s *Subscription) Waiting() int { return len(s.member.deliveries) }
