package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/asyncmsglib/msgq/pkg/msgq/broker"
	publish "github.com/asyncmsglib/msgq/services/publish/server"
	subscribe "github.com/asyncmsglib/msgq/services/subscribe/server"
)

type upCommand struct {
	Data          string `type:"path" default:".msgq" help:"Folder that keeps the data."`
	PublishAddr   string `env:"MSGQ_PUBLISH_ADDR" default:"127.0.0.1:8080" help:"Address of the publish service."`
	SubscribeAddr string `env:"MSGQ_SUBSCRIBE_ADDR" default:"127.0.0.1:8081" help:"Address of the subscribe service and the dashboard."`
	BrokerPort    int    `default:"4222" help:"Port of the broker on 127.0.0.1; 0 takes a free one."`
}

// Help is shown below the flags.
func (upCommand) Help() string {
	return `Everything else is set by the MSGQ_* variables that the services know.

Examples:
  msgq up
  msgq up --data /var/lib/msgq --publish-addr 127.0.0.1:9000`
}

// Run runs broker and services until the context ends or one of them fails.
func (c *upCommand) Run(ctx context.Context, io streams) error {
	pub, sub, err := c.configs()
	if err != nil {
		return err
	}
	// Addresses first: one that is taken should not leave a broker behind.
	pubListener, err := listen(ctx, c.PublishAddr)
	if err != nil {
		return err
	}
	defer func() { _ = pubListener.Close() }()
	subListener, err := listen(ctx, c.SubscribeAddr)
	if err != nil {
		return err
	}
	defer func() { _ = subListener.Close() }()
	log := sub.Logging().Logger(os.Stderr)
	b, err := broker.Start(broker.Config{Dir: c.Data, Port: brokerPort(c.BrokerPort), Logger: service(log, "broker")})
	if err != nil {
		return err
	}
	defer b.Shutdown() // after the services: they still have to acknowledge

	pub.NATSURL, sub.NATSURL = b.URL(), b.URL()
	pub.BrokerSyncs = true
	sub.PublishURL = "http://" + pubListener.Addr().String()
	_, _ = fmt.Fprintf(io.err, `dashboard  http://%[1]s/
publish    http://%[2]s/v1/topics/TOPIC/messages
subscribe  ws://%[1]s/v1/ws
broker     %[3]s, data in %[4]s
`, subListener.Addr(), pubListener.Addr(), b.URL(), c.Data)
	return together(ctx,
		func(ctx context.Context) error { return publish.Serve(ctx, pubListener, pub, service(log, "publish")) },
		func(ctx context.Context) error {
			return subscribe.Serve(ctx, subListener, sub, service(log, "subscribe"))
		},
	)
}

func (c *upCommand) configs() (pub publish.Config, sub subscribe.Config, err error) {
	pub, errPub := publish.ParseConfig("--publish-addr=" + c.PublishAddr)
	sub, errSub := subscribe.ParseConfig("--subscribe-addr=" + c.SubscribeAddr)
	return pub, sub, wrongSettings(errPub, errSub)
}

// wrongSettings names each setting once, which both services may know.
func wrongSettings(errs ...error) error {
	var texts []string
	for _, err := range errs {
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			for _, one := range joined.Unwrap() {
				texts = append(texts, "\n  "+one.Error())
			}
		}
	}
	if len(texts) == 0 {
		return errors.Join(errs...)
	}
	slices.Sort(texts)
	return &useError{"wrong settings:" + strings.Join(slices.Compact(texts), "")}
}

func service(log *slog.Logger, name string) *slog.Logger { return log.With("service", name) }

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w (is another program there? choose another address)", addr, err)
	}
	return l, nil
}

// together runs all until the context ends or one fails, which ends the others.
func together(ctx context.Context, runs ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, run := range runs {
		wg.Go(func() {
			defer cancel()
			errs[i] = run(ctx)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
