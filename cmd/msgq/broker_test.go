package main

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestBrokerSaysWhatGoesWrongAndWhoMayUseIt(t *testing.T) {
	ctx, stop := context.WithCancel(msgqtest.Context(t))
	defer stop()
	var errs lockedBuffer
	done := make(chan int)
	args := []string{"broker", "--data", t.TempDir(), "--host", "0.0.0.0", "--port", "0"}
	go func() { done <- run(ctx, args, streams{nil, &errs, &errs}) }()
	msgqtest.Eventually(t, "the warning", func() bool { return strings.Contains(errs.String(), "WARNING: 0.0.0.0") })

	_, rest, _ := strings.Cut(errs.String(), "nats://")
	addr, _, _ := strings.Cut(rest, ",")
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "4222" {
		t.Fatalf("port %q, %v, want a free one: %s", port, err, errs.String())
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("NONSENSE\r\n")); err != nil {
		t.Fatal(err)
	}
	msgqtest.Eventually(t, "a line of the broker's log", func() bool { return strings.Contains(errs.String(), `"level":"ERROR"`) })
	stop()
	if code := msgqtest.Receive(t, done, "end of the broker"); code != 0 || !strings.Contains(errs.String(), "broker stopped") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
