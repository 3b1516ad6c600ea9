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
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nuid"
)

// publishFlag is where the publish service is.
type publishFlag struct {
	PublishURL string `name:"publish-url" env:"MSGQ_PUBLISH_URL" default:"http://127.0.0.1:8080" help:"Publish service."`
}

// publishClient publishes over HTTP.
type publishClient struct {
	url   string
	token tokenFlag
	http  *http.Client
}

const (
	// requestTimeout is longer than the 5 s in which the service answers.
	requestTimeout = 15 * time.Second
	// retryFor is how long a service that is away is tried again.
	retryFor = 30 * time.Second
)

func newPublishClient(f publishFlag, token tokenFlag) *publishClient {
	return &publishClient{url: f.PublishURL, token: token, http: &http.Client{Timeout: requestTimeout}}
}

// publish returns the service's answer. It tries again while the service is
// away; the id keeps that from storing the event twice.
func (c *publishClient) publish(ctx context.Context, e event) ([]byte, error) {
	if e.ID == "" {
		e.ID = nuid.Next()
	}
	return backoff.Retry(ctx, func() ([]byte, error) { return c.post(ctx, e) },
		backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(retryFor))
}

func (c *publishClient) post(ctx context.Context, e event) ([]byte, error) {
	target := c.url + "/v1/topics/" + url.PathEscape(e.Topic) + "/messages"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(e.body))
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	c.token.authorize(req.Header)
	req.Header.Set("Idempotency-Key", e.ID)
	if e.Type != "" {
		req.Header.Set("Content-Type", e.Type)
	}
	if e.TTL != "" {
		req.Header.Set("Msgq-TTL", e.TTL)
	}
	for name, value := range e.Headers {
		req.Header.Set("Msgq-Header-"+name, value)
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
	err = refused(res.StatusCode, body)
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests {
		return nil, err
	}
	return nil, backoff.Permanent(err)
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
