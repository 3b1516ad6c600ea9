package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// subscribeFlag is where the subscribe service is.
type subscribeFlag struct {
	SubscribeURL string `name:"subscribe-url" env:"MSGQ_SUBSCRIBE_URL" default:"http://127.0.0.1:8081" help:"Subscribe service."`
}

// maxAnswer is more than a page of dead letters, whose data may be base64.
const maxAnswer = 64 << 20

// call asks the subscribe service and reads its answer into v. body may be nil.
func (f subscribeFlag) call(ctx context.Context, method, path string, query url.Values, body, v any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, f.SubscribeURL+path+"?"+query.Encode(), bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w (is the subscribe service running? --subscribe-url says where)", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return refused(res.StatusCode, answer)
	}
	return json.Unmarshal(answer, v)
}

// pages reads a list to its end, or until each returns false.
func pages[T any](ctx context.Context, f subscribeFlag, path string, query url.Values, name string, each func([]T) (bool, error)) error {
	for {
		page := map[string]json.RawMessage{}
		if err := f.call(ctx, http.MethodGet, path, query, nil, &page); err != nil {
			return err
		}
		var entries []T
		if err := json.Unmarshal(page[name], &entries); err != nil {
			return fmt.Errorf("the service's answer has no %s: %w", name, err)
		}
		more, err := each(entries)
		if err != nil || !more || page["next"] == nil {
			return err
		}
		var next string
		if err := json.Unmarshal(page["next"], &next); err != nil {
			return fmt.Errorf("the service's answer: %w", err)
		}
		query.Set("next", next)
	}
}
