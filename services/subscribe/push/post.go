package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// handler POSTs one message: 2xx acknowledges, 410 rejects, anything else is retried.
func (p *Pusher) handler(q msgq.Queue) msgq.Handler {
	return func(ctx context.Context, d *msgq.Delivery) error {
		ctx, cancel := context.WithTimeout(ctx, q.Push.Timeout)
		defer cancel()
		err := p.post(ctx, q, d)
		result := "acknowledged"
		if err != nil {
			result = "failed"
		}
		p.requests.WithLabelValues(q.Name, result).Inc()
		return err
	}
}

func (p *Pusher) post(ctx context.Context, q msgq.Queue, d *msgq.Delivery) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.Push.URL, bytes.NewReader(d.Data))
	if err != nil {
		return fmt.Errorf("push.url: %w", err)
	}
	for name, value := range d.Headers {
		req.Header.Set("Msgq-Header-"+name, value)
	}
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := d.Headers[name]; value != "" {
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("Content-Type", d.DataContentType)
	req.Header.Set("User-Agent", "msgq/"+msgq.Version)
	req.Header.Set("Webhook-Id", d.ID)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	req.Header.Set("Msgq-Topic", d.Topic)
	req.Header.Set("Msgq-Queue", q.Name)
	req.Header.Set("Msgq-Seq", strconv.FormatUint(d.Seq, 10))
	req.Header.Set("Msgq-Time", d.Time.UTC().Format(time.RFC3339Nano))
	req.Header.Set("Msgq-Attempt", strconv.Itoa(d.Attempt))
	res, err := p.client.Do(req)
	if err != nil {
		return reasonOf(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	return outcome(res)
}

// outcome is what the answer means for the message.
func outcome(res *http.Response) error {
	err := fmt.Errorf("the webhook answered %d", res.StatusCode)
	switch {
	case res.StatusCode >= 200 && res.StatusCode <= 299:
		return nil
	case res.StatusCode == http.StatusGone:
		return msgq.Permanent(err)
	}
	if delay, ok := retryAfter(res.Header.Get("Retry-After"), time.Now()); ok {
		return msgq.RetryAfter(delay, err)
	}
	return err
}

// maxRetryAfter bounds what a webhook may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads seconds or an HTTP date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return min(time.Duration(min(seconds, 1e6))*time.Second, maxRetryAfter), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(0, at.Sub(now)), maxRetryAfter), true
}

// reasonOf keeps the URL, which may hold a secret, out of dead letters and logs.
func reasonOf(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the webhook did not answer in time")
	}
	return errors.New("the webhook could not be reached")
}
