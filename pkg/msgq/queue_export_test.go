package msgq

import (
	"context"
	"time"
)

// StoreDeadLetter is Reject as far as it comes when the broker dies before the acknowledgement.
func (d *Delivery) StoreDeadLetter(ctx context.Context, reason string) error {
	return d.member.c.storeDeadLetter(ctx, d, reason)
}

// PublishRedriven is Redrive of one dead letter as far as it comes when the process dies before the removal.
func (c *Client) PublishRedriven(ctx context.Context, queue string, deadSeq uint64) error {
	dead, err := c.deadStream(ctx)
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

// ScheduleRetry is a Nack with a long delay as far as it comes when the process dies before the acknowledgement.
func (d *Delivery) ScheduleRetry(ctx context.Context, delay time.Duration) error {
	return d.scheduleRetry(ctx, d.member.Queue().Name, time.Now().Add(delay))
}
