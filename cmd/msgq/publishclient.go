package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nuid"
	"golang.org/x/net/http/httpguts"
)

// publishFlag is where the publish service is.
type publishFlag struct {
	PublishURL serviceURL `name:"publish-url" env:"MSGQ_PUBLISH_URL" default:"http://127.0.0.1:8080" help:"Publish service."`
}

// event is one message.
type event struct {
	Topic, ID, Type, TTL string // all but the topic may be empty
	Headers              map[string]string
	Data                 []byte
}

// publishClient publishes over HTTP.
type publishClient struct {
	url   string
	token tokenFlag
	http  *http.Client
	err   io.Writer // is told of what is tried again
}

const (
	// requestTimeout is longer than the 5 s in which the service answers.
	requestTimeout = 15 * time.Second
	// retryFor is how long a service that is away is tried again.
	retryFor = 30 * time.Second
)

func newPublishClient(f publishFlag, token tokenFlag, err io.Writer) *publishClient {
	return &publishClient{url: string(f.PublishURL), token: token, http: &http.Client{Timeout: requestTimeout}, err: err}
}

// publish returns the service's answer. It tries again while the service is
// away; the id keeps that from storing the event twice.
func (c *publishClient) publish(ctx context.Context, e event) ([]byte, error) {
	if e.ID == "" {
		e.ID = nuid.Next()
	}
	return c.retry(ctx, func() ([]byte, error) { return c.post(ctx, e) })
}

// publishLine publishes a message as a batch has it, with an id, and as stubbornly as publish.
func (c *publishClient) publishLine(ctx context.Context, line []byte) error {
	_, err := c.retry(ctx, func() ([]byte, error) { return nil, c.postLine(ctx, line) })
	return err
}

func (c *publishClient) retry(ctx context.Context, try func() ([]byte, error)) ([]byte, error) {
	told := false
	return backoff.Retry(ctx, try, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(retryFor),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if !told {
				_, _ = fmt.Fprintf(c.err, "msgq: %v: trying again for %s\n", err, retryFor)
			}
			told = true
		}))
}

func (c *publishClient) post(ctx context.Context, e event) ([]byte, error) {
	header := http.Header{"Idempotency-Key": {e.ID}}
	if e.Type != "" {
		header.Set("Content-Type", e.Type)
	}
	if e.TTL != "" {
		header.Set("Msgq-TTL", e.TTL)
	}
	for name, value := range e.Headers {
		header.Set("Msgq-Header-"+name, value)
	}
	return c.do(ctx, "/v1/topics/"+url.PathEscape(e.Topic)+"/messages", header, e.Data)
}

func (c *publishClient) postLine(ctx context.Context, line []byte) error {
	text, err := c.do(ctx, "/v1/messages", http.Header{"Content-Type": {"application/x-ndjson"}}, line)
	if err != nil {
		return err
	}
	var answer struct {
		Results []struct {
			Status int
			Error  json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Results) == 0 {
		return backoff.Permanent(fmt.Errorf("the service's answer has no result: %.100s", text))
	}
	result := answer.Results[len(answer.Results)-1]
	if result.Status/100 == 2 {
		return nil
	}
	return failed(result.Status, result.Error)
}

// do posts, and returns the body of an answer that is no refusal.
func (c *publishClient) do(ctx context.Context, path string, header http.Header, data []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(data))
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header = header
	c.token.authorize(header)
	if err := checkHeader(header); err != nil {
		return nil, backoff.Permanent(err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w (is the publish service running? --publish-url says where)", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		return bytes.TrimSpace(body), nil
	}
	return nil, failed(res.StatusCode, body)
}

// checkHeader refuses what could not be sent, however often it is tried. Values are not shown: one may be the token.
func checkHeader(header http.Header) error {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) {
			return &useError{fmt.Sprintf("a header cannot be named %q", strings.TrimPrefix(name, "Msgq-Header-"))}
		}
		if !httpguts.ValidHeaderFieldValue(values[0]) {
			return &useError{fmt.Sprintf("the value of %s has characters that no HTTP header can have", name)}
		}
	}
	return nil
}

// failed is a refusal; one that may be over soon is no backoff.PermanentError.
func failed(status int, body []byte) error {
	err := refused(status, body)
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		return err
	}
	return backoff.Permanent(err)
}

// refused reads the service's problem details.
func refused(status int, body []byte) error {
	var p struct{ Code, Detail string }
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return fmt.Errorf("the service answered %d", status)
	}
	return coded(p.Code, p.Detail)
}

// coded is what a service refused, with what to do where that is certain.
func coded(code, text string) error {
	if code == "unauthenticated" {
		text += " (MSGQ_TOKEN gives a token; msgq token --help shows how to make one)"
	}
	return errors.New(code + ": " + text)
}
