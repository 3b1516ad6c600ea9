package main

import (
	"context"
	"fmt"
	"io"
)

// typed is standard input. On a terminal it says how to end it.
func typed(ctx context.Context, s streams) io.ReadCloser {
	if isTerminal(s.in) {
		_, _ = fmt.Fprintln(s.err, "reading standard input, end with Ctrl-D")
	}
	return standardInput(ctx, s)
}

func standardInput(ctx context.Context, s streams) io.ReadCloser {
	return interruptible(ctx, func() (io.ReadCloser, error) { return io.NopCloser(s.in), nil })
}

// interruptible opens and reads until it is closed or ctx ends, with the cause of that. A system call that nothing
// answers cannot be ended, be it a read of a terminal or the opening of a pipe: it stays behind until the process ends.
func interruptible(ctx context.Context, open func() (io.ReadCloser, error)) io.ReadCloser {
	pr, pw := io.Pipe()
	go func() {
		r, err := open()
		if err == nil {
			_, err = io.Copy(pw, r)
			_ = r.Close()
		}
		_ = pw.CloseWithError(err)
	}()
	stop := context.AfterFunc(ctx, func() { _ = pw.CloseWithError(context.Cause(ctx)) })
	return &interruptibleReader{pr, stop}
}

type interruptibleReader struct {
	*io.PipeReader
	stop func() bool
}

// Close ends reading.
func (r *interruptibleReader) Close() error {
	r.stop()
	return r.PipeReader.Close()
}
