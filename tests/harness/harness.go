// Package harness runs the whole of msgq inside a test: a broker, the publish
// service and the subscribe service, each on a free port of 127.0.0.1. All of it
// ends with the test, which fails where a service does not stop in good order.
//
//	s := harness.Start(t, harness.Options{})
//	ws := s.Dial(t, nil)
//	ws.Send(map[string]any{"type": "subscribe", "id": "s", "topics": []string{">"}})
//	ws.WaitType("subscribed")
//	s.Publish(t, "orders.created", `{"n":1}`)
//	m := ws.WaitType("message")
package harness

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	publish "github.com/asyncmsglib/msgq/services/publish/server"
	subscribe "github.com/asyncmsglib/msgq/services/subscribe/server"
)

// Options change what is started. The zero value runs everything with its defaults.
type Options struct {
	// PublishFlags and SubscribeFlags are given to the services, such as --max-body=1KiB.
	PublishFlags, SubscribeFlags []string
	// NATSURL is a broker of the test's own. Empty: one is started, as Stack.Broker.
	NATSURL string
	// Auth has both services want tokens, see [Token].
	Auth bool
}

// Stack is everything, running.
type Stack struct {
	Broker *msgqtest.Server // nil where Options.NATSURL names another
	// PublishURL and SubscribeURL are the services' roots, without a slash at the end.
	PublishURL, SubscribeURL string
	// Client keeps its connections until the test ends.
	Client *http.Client

	// SecretFile holds what signs the tokens that Options.Auth wants.
	SecretFile string

	// StopPublish and StopSubscribe stop a service, the one started last, and wait
	// for its end. Twice is harmless, and the test's end does so too.
	StopPublish, StopSubscribe func()

	natsURL string
	log     *slog.Logger
}

// Start returns when both services are ready.
func Start(t testing.TB, o Options) *Stack {
	t.Helper()
	s := &Stack{natsURL: o.NATSURL, Client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       msgqtest.Timeout,
	}}
	if s.natsURL == "" {
		s.Broker = msgqtest.NewServer(t)
		s.natsURL = s.Broker.URL
	}
	var logs bytes.Buffer // the handler locks it
	s.log = slog.New(slog.NewTextHandler(&logs, nil))
	t.Cleanup(func() { // when the services have stopped
		if t.Failed() {
			t.Logf("log of the services:\n%s", &logs)
		}
	})
	t.Cleanup(s.Client.CloseIdleConnections)

	if o.Auth {
		s.SecretFile = writeSecret(t)
		flags := []string{"--auth=jwt", "--jwt-secret-file=" + s.SecretFile}
		o.PublishFlags, o.SubscribeFlags = append(o.PublishFlags, flags...), append(o.SubscribeFlags, flags...)
	}
	var cfg publish.Config
	parse(t, &cfg, append(o.PublishFlags, "--nats-url="+s.natsURL))
	s.PublishURL, s.StopPublish = run(t, "publish", func(ctx context.Context, l net.Listener) error {
		return publish.Serve(ctx, l, cfg, s.log.With("service", "publish"))
	})
	s.StartSubscribe(t, o.SubscribeFlags...)
	s.WaitReady(t)
	return s
}

// StartSubscribe starts another subscribe service; SubscribeURL is then its URL.
func (s *Stack) StartSubscribe(t testing.TB, flags ...string) {
	t.Helper()
	var cfg subscribe.Config
	parse(t, &cfg, append(flags, "--nats-url="+s.natsURL, "--publish-url="+s.PublishURL))
	s.SubscribeURL, s.StopSubscribe = run(t, "subscribe", func(ctx context.Context, l net.Listener) error {
		return subscribe.Serve(ctx, l, cfg, s.log.With("service", "subscribe"))
	})
}

// WaitReady waits until both services say that messages can flow.
func (s *Stack) WaitReady(t testing.TB) {
	t.Helper()
	for _, url := range []string{s.PublishURL, s.SubscribeURL} {
		msgqtest.Eventually(t, "200 from "+url+"/readyz", func() bool {
			return s.Do(t, http.MethodGet, url+"/readyz", "").Status == http.StatusOK
		})
	}
}

// parse sets a service's config as its command line does.
func parse(t testing.TB, config interface{ Check() []error }, flags []string) {
	t.Helper()
	parser, err := kong.New(config)
	if err == nil {
		_, err = parser.Parse(flags)
	}
	if err := errors.Join(append(config.Check(), err)...); err != nil {
		t.Fatalf("settings: %v", err)
	}
}

// stopTimeout is what the contract allows.
const stopTimeout = 25 * time.Second

// run serves on a free port until the test ends or stop is called.
func run(t testing.TB, name string, serve func(context.Context, net.Listener) error) (url string, stop func()) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the %s service ended with %v, want nil", name, err)
			}
		case <-time.After(stopTimeout):
			t.Errorf("the %s service did not stop within %s", name, stopTimeout)
		}
	})
	t.Cleanup(stop)
	return "http://" + listener.Addr().String(), stop
}
