package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nuid"
)

type pubCommand struct {
	Topic  string            `arg:"" optional:"" help:"Topic, such as orders.created."`
	Data   string            `arg:"" optional:"" help:"The event's data; - or nothing reads standard input."`
	NDJSON string            `name:"ndjson" type:"existingfile" placeholder:"FILE" help:"Publish each line of the file: {\"topic\":…, \"data\":…}, with id, headers, datacontenttype, ttl as you like."`
	ID     string            `help:"Message id: the same id on the same topic is stored once."`
	Type   string            `help:"Media type. Default: application/json if the data is JSON, else text/plain."`
	Header map[string]string `short:"H" placeholder:"NAME=VALUE" help:"Message header; may be repeated."`
	TTL    time.Duration     `name:"ttl" help:"Forget the event after this time."`
	publishFlag
	tokenFlag
}

// Help is shown below the flags.
func (pubCommand) Help() string {
	return `Prints what the service answers, a JSON object with the event's seq. While
the service is away it is tried again for half a minute; that stores nothing twice.

Examples:
  msgq pub orders.created '{"id": 1, "total": 9.5}'
  date | msgq pub clock.tick -
  msgq pub orders.created --id order-1 -H region=eu '{"id": 1}'
  msgq pub --ndjson tests/testdata/github-events.ndjson`
}

// Run publishes.
func (c *pubCommand) Run(ctx context.Context, s streams) error {
	client := newPublishClient(c.publishFlag, c.tokenFlag)
	if c.NDJSON != "" {
		return c.publishFile(ctx, s, client)
	}
	if c.Topic == "" {
		return &useError{"a TOPIC or --ndjson FILE is needed"}
	}
	data := []byte(c.Data)
	if c.Data == "" || c.Data == "-" {
		var err error
		if data, err = io.ReadAll(s.in); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	e := event{Topic: c.Topic, ID: c.ID, Type: c.Type, Headers: c.Header, body: data}
	if c.TTL != 0 {
		e.TTL = c.TTL.String()
	}
	if e.Type == "" {
		e.Type = "text/plain; charset=utf-8"
		if json.Valid(data) {
			e.Type = "application/json"
		}
	}
	receipt, err := client.publish(ctx, e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", receipt)
	return err
}

// event is one message as a line of a file has it.
type event struct {
	Topic   string            `json:"topic"`
	ID      string            `json:"id"`
	Type    string            `json:"datacontenttype"`
	Headers map[string]string `json:"headers"`
	TTL     string            `json:"ttl"`
	Data    json.RawMessage   `json:"data"`
	Base64  []byte            `json:"data_base64"`

	body []byte
}

// parseEvent reads one line of a file.
func parseEvent(line []byte) (event, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("not an event: %w", err)
	}
	if e.Data != nil && e.Base64 != nil {
		return e, errors.New("data and data_base64: only one is allowed")
	}
	e.body = e.Base64
	if e.Data != nil {
		e.body = e.Data
		if e.Type == "" {
			e.Type = "application/json"
		}
		var text string
		if e.Type != "application/json" && json.Unmarshal(e.Data, &text) == nil {
			e.body = []byte(text)
		}
	}
	if e.ID == "" {
		e.ID = nuid.Next() // so that a repeated request stores nothing twice
	}
	return e, nil
}

func (c *pubCommand) publishFile(ctx context.Context, s streams, client *publishClient) error {
	f, err := os.Open(c.NDJSON)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return publishLines(ctx, s, client, f, c.NDJSON)
}
