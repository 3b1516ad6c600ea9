package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// maxLine bounds a line of a file: the largest message, in base64, with room for the rest.
const maxLine = 4 << 20

// publishLines publishes one event after the other, so that they are stored in
// the file's order, and says how far it came.
func publishLines(ctx context.Context, s streams, client *publishClient, f *os.File, name string) error {
	bar := newProgress(s, f, name)
	lines := bufio.NewReaderSize(f, 64<<10)
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

func publishLine(ctx context.Context, client *publishClient, line []byte) error {
	e, err := parseEvent(line)
	if err != nil {
		return err
	}
	_, err = client.publish(ctx, e)
	return err
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

// newProgress shows a bar on a terminal, and nothing elsewhere.
func newProgress(s streams, f *os.File, name string) *progressbar.ProgressBar {
	var size int64 = -1
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	if isTerminal(s.err) {
		return progressbar.DefaultBytes(size, name)
	}
	return progressbar.DefaultBytesSilent(size)
}
