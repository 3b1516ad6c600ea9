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
)

// subscribeFlag is where the subscribe service is.
type subscribeFlag struct {
	SubscribeURL serviceURL `name:"subscribe-url" env:"MSGQ_SUBSCRIBE_URL" default:"http://127.0.0.1:8081" help:"Subscribe service."`
	tokenFlag
}

// maxAnswer is more than a page of dead letters, whose data may be base64.
const maxAnswer = 64 << 20

// call asks the subscribe service and reads its answer into v.
func (f subscribeFlag) call(ctx context.Context, method, path string, query url.Values, v any) error {
	answer, err := f.ask(ctx, method, path+"?"+query.Encode(), nil, "application/json")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// ask returns the body of an answer that is no refusal.
func (f subscribeFlag) ask(ctx context.Context, method, path string, body any, accept string) (io.ReadCloser, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, string(f.SubscribeURL)+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	f.authorize(req.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (is the subscribe service running? --subscribe-url says where)", err)
	}
	if res.StatusCode/100 != 2 {
		defer func() { _ = res.Body.Close() }()
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return nil, refused(res.StatusCode, text)
	}
	return res.Body, nil
}

// postLines posts a request that is answered with a JSON object a line, as its work goes on.
func postLines[T any](ctx context.Context, f subscribeFlag, path string, body any, each func(T) error) error {
	answer, err := f.ask(ctx, http.MethodPost, path, body, "application/x-ndjson")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	decoder := json.NewDecoder(answer)
	for {
		var line T
		err := decoder.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the service's answer: %w", err)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// pages reads a list to its end, or until each returns false.
func pages[T any](ctx context.Context, f subscribeFlag, path string, query url.Values, name string, each func([]T) (bool, error)) error {
	for {
		page := map[string]json.RawMessage{}
		if err := f.call(ctx, http.MethodGet, path, query, &page); err != nil {
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
