package push

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// newRequest is the POST of one message, as Standard Webhooks has it. sign may be nil.
func newRequest(ctx context.Context, url, queue string, sign *webhooks.Webhook, d *msgq.Delivery) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Data))
	if err != nil {
		return nil, fmt.Errorf("push.url: %w", err)
	}
	now := time.Now()
	h := req.Header
	for name, value := range d.Headers {
		h.Set("Msgq-Header-"+name, value)
	}
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := d.Headers[name]; value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Content-Type", d.DataContentType)
	h.Set("User-Agent", "msgq/"+msgq.Version)
	h.Set("Msgq-Topic", d.Topic)
	h.Set("Msgq-Queue", queue)
	h.Set("Msgq-Seq", strconv.FormatUint(d.Seq, 10))
	h.Set("Msgq-Time", d.Time.UTC().Format(time.RFC3339Nano))
	h.Set("Msgq-Attempt", strconv.Itoa(d.Attempt))
	h.Set(webhooks.HeaderWebhookID, d.ID)
	h.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if sign != nil {
		signature, err := sign.Sign(d.ID, now, d.Data)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		h.Set(webhooks.HeaderWebhookSignature, signature)
	}
	return req, sendable(h)
}

// sendable finds what HTTP cannot carry. Else the client would, and it would look
// as if the endpoint failed.
func sendable(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(values[0]) {
			return fmt.Errorf("its header %q cannot be sent over HTTP", name)
		}
	}
	return nil
}
