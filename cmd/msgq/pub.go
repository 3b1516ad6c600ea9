package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

type pubCommand struct {
	Topic  string            `arg:"" optional:"" help:"Topic, such as orders.created."`
	Data   *argument         `arg:"" optional:"" help:"The event's data; - or nothing reads standard input."`
	NDJSON string            `name:"ndjson" type:"existingfile" placeholder:"FILE" help:"Publish each line of the file, - is standard input: {\"topic\":…, \"data\":…}, with what else a batch of the HTTP API may have."`
	ID     string            `help:"Message id: the same id on the same topic is stored once."`
	Type   string            `help:"Media type. Default: application/json if the data is JSON, text/plain if it is other text, else application/octet-stream."`
	Header map[string]string `short:"H" mapsep:"none" placeholder:"NAME=VALUE" help:"Message header; may be repeated."`
	TTL    time.Duration     `name:"ttl" help:"Forget the event after this time."`
	publishFlag
	tokenFlag
}

// argument is taken byte for byte: kong reads a string by way of JSON, which changes what is not UTF-8.
type argument string

// Decode takes the next argument.
func (a *argument) Decode(ctx *kong.DecodeContext) error {
	token, err := ctx.Scan.PopValue("data")
	*a = argument(token.String())
	return err
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
	if err := c.check(); err != nil {
		return err
	}
	client := newPublishClient(c.publishFlag, c.tokenFlag, s.err)
	if c.NDJSON != "" {
		return c.publishFile(ctx, s, client)
	}
	data, err := c.data(ctx, s)
	if err != nil {
		return err
	}
	e := event{Topic: c.Topic, ID: c.ID, Type: c.Type, Headers: c.Header, Data: data}
	if c.TTL != 0 {
		e.TTL = c.TTL.String()
	}
	if e.Type == "" {
		e.Type = mediaType(data)
	}
	receipt, err := client.publish(ctx, e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", receipt)
	return err
}

// mediaType says of data only what is true of it: JSON has to be UTF-8 too.
func mediaType(data []byte) string {
	switch {
	case !utf8.Valid(data):
		return "application/octet-stream"
	case json.Valid(data):
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

func (c *pubCommand) check() error {
	switch {
	case c.NDJSON == "" && c.Topic == "":
		return &useError{"a TOPIC or --ndjson FILE is needed"}
	case c.NDJSON != "" && (c.Topic != "" || c.ID != "" || c.Type != "" || len(c.Header) > 0 || c.TTL != 0):
		return &useError{"--ndjson: each line has its own topic, data, id, type, headers and ttl; leave TOPIC, DATA and their flags out"}
	}
	return nil
}

func (c *pubCommand) data(ctx context.Context, s streams) ([]byte, error) {
	if c.Data != nil && *c.Data != "-" {
		return []byte(*c.Data), nil
	}
	in := typed(ctx, s)
	defer func() { _ = in.Close() }()
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(data) == 0 && isTerminal(s.in) {
		return nil, errors.New("nothing was typed, and nothing published: DATA '' publishes an event without data")
	}
	return data, nil
}

func (c *pubCommand) publishFile(ctx context.Context, s streams, client *publishClient) error {
	name, size, in := "standard input", int64(unknownSize), io.ReadCloser(nil)
	if c.NDJSON == "-" {
		in = typed(ctx, s)
	} else {
		name = c.NDJSON
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = interruptible(ctx, func() (io.ReadCloser, error) { return os.Open(name) })
	}
	defer func() { _ = in.Close() }()
	return publishLines(ctx, s, client, in, name, size)
}
