package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nuid"
	"github.com/schollz/progressbar/v3"
)

// maxLine bounds a line of a file: the largest message, in base64, with room for the rest.
const maxLine = 4 << 20

// publishLines publishes one event after the other, so that they are stored in
// the order of the lines, and says how far it came.
func publishLines(ctx context.Context, s streams, client *publishClient, r io.Reader, name string, size int64) error {
	bar := newProgress(s, name, size)
	lines := bufio.NewReaderSize(r, 64<<10)
	start, published, number := time.Now(), 0, 0
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		number++
		if err == nil && len(bytes.TrimSpace(line)) > 0 {
			if err = publishLine(ctx, client, line); err == nil {
				published++
			}
		}
		if err != nil {
			_ = bar.Exit()
			return fmt.Errorf("%s, line %d: %w (%d events before it are published)", name, number, err, published)
		}
		_ = bar.Add(len(line) + 1)
	}
	_ = bar.Finish()
	_, _ = fmt.Fprintf(s.err, "%d events published in %s\n", published, time.Since(start).Round(time.Millisecond))
	return nil
}

// publishLine sends the line as it is: what it may have is the service's to say.
func publishLine(ctx context.Context, client *publishClient, line []byte) error {
	line, err := withID(line)
	if err != nil {
		return err
	}
	return client.publishLine(ctx, line)
}

// withID gives an event an id of its own, so that a repeated request stores nothing twice.
func withID(line []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(line, &members)
	id, has := members["id"]
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("not a JSON object: %w", err)
	case err != nil, members == nil:
		return nil, errors.New("not a JSON object")
	case string(id) == "null":
		return nil, errors.New("the id is null; leave it out for a fresh one")
	case has, len(members) == 0: // which is refused
		return line, nil
	}
	_, rest, _ := bytes.Cut(line, []byte("{"))
	return fmt.Appendf(nil, `{"id":%q,%s`, nuid.Next(), rest), nil
}

// readLine reads a line without its end. io.EOF means that there was none.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return bytes.TrimRight(line, "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

const (
	unknownSize = -1
	barInterval = 65 * time.Millisecond
)

// newProgress shows a bar on a terminal, and nothing elsewhere.
func newProgress(s streams, name string, size int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size, progressbar.OptionSetVisibility(isTerminal(s.err)), progressbar.OptionSetWriter(s.err),
		progressbar.OptionSetDescription(name), progressbar.OptionShowBytes(true), progressbar.OptionThrottle(barInterval),
		progressbar.OptionSetSpinnerChangeInterval(0)) // else it would have a goroutine of its own
}
