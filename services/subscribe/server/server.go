// Package server puts the subscribe service together: settings, the connection
// to the broker, WebSockets, webhooks, the queue API and the dashboard.
package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/service"
	"github.com/asyncmsglib/msgq/services/internal/tracing"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/subscribe/asyncapi"
	"github.com/asyncmsglib/msgq/services/subscribe/connections"
	"github.com/asyncmsglib/msgq/services/subscribe/dashboard"
	"github.com/asyncmsglib/msgq/services/subscribe/fanout"
	"github.com/asyncmsglib/msgq/services/subscribe/openapi"
	"github.com/asyncmsglib/msgq/services/subscribe/push"
	"github.com/asyncmsglib/msgq/services/subscribe/queueapi"
	"github.com/asyncmsglib/msgq/services/subscribe/sse"
	"github.com/asyncmsglib/msgq/services/subscribe/topicapi"
	"github.com/asyncmsglib/msgq/services/subscribe/wsconn"
)

// Run listens where cfg says and serves until ctx ends.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	listener, err := service.Listen(ctx, cfg.Addr)
	if err != nil {
		return err
	}
	return Serve(ctx, listener, cfg, log)
}

// Serve serves on the listener until ctx ends and every client was told.
func Serve(ctx context.Context, listener net.Listener, cfg Config, log *slog.Logger) error {
	defer func() { _ = listener.Close() }()
	clientConfig, err := cfg.Broker.Client("msgq-subscribe", log)
	if err != nil {
		return err
	}
	clientConfig.MaxQueues = cfg.MaxQueues
	client, err := msgq.Open(clientConfig)
	if err != nil {
		return err
	}
	defer client.Close()

	verifier, err := auth.New(ctx, cfg.HTTP, log)
	if err != nil {
		return err
	}
	registry := web.NewRegistry()
	slots := semaphore.NewWeighted(int64(cfg.MaxConnections))
	hub := fanout.New(fanout.Options{Source: fanout.FromClient(client), Buffer: int(cfg.ClientBuffer)})
	defer hub.Close() // when every client was told
	list := new(connections.List)
	sockets := wsconn.New(wsconn.Options{
		Source: client, Hub: hub, Auth: verifier, Log: log, ClientBuffer: int(cfg.ClientBuffer),
		BrokerGrace: cfg.BrokerGrace, Slots: slots, Connections: list, Registry: registry,
	})
	events := sse.New(sse.Options{
		Hub: hub, Outage: client.Outage, Auth: verifier, BrokerGrace: cfg.BrokerGrace, Slots: slots, Connections: list, Registry: registry,
	})
	pusher := push.New(push.Options{Queues: client, Private: cfg.PushPrivate, Log: log, Registry: registry})
	var background sync.WaitGroup
	background.Go(func() { pusher.Run(ctx) })
	defer background.Wait()

	web.WatchStreams(registry, client.Usage)
	queueapi.Watch(registry, client.Queues)
	watchFilters(registry, client.FilterFailures)
	tracer, err := tracing.New(ctx, "msgq-subscribe", log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	e := web.New(web.Options{
		Log: log, Addr: listener.Addr(), Origins: cfg.AllowedOrigins, Auth: verifier, Check: client.Check, Registry: registry, Tracer: tracer,
	})
	e.GET("/v1/ws", sockets.Serve)
	e.GET("/v1/events", events.Serve)
	list.Routes(e, verifier.Admin)
	(&queueapi.API{Queues: client, Auth: verifier, Changed: pusher.Changed, Failing: pusher.Failing, Stopping: ctx}).Routes(e)
	(&topicapi.API{Store: client, Auth: verifier}).Routes(e)
	forward, err := forwardTo(cfg.PublishURL)
	if err != nil {
		return err
	}
	e.POST("/v1/topics/*", forward, verifier.Allowing(publishes))
	addPages(e)
	return service.Serve(ctx, listener, e, log, 0, func() {
		events.Shutdown()
		sockets.Shutdown()
	})
}

// addPages adds what is the same for everybody.
func addPages(e *echo.Echo) {
	e.Match(web.Reading, "/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", openapi.Document) })
	e.Match(web.Reading, "/asyncapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", asyncapi.Document) })
	dashboard.Routes(e)
}

func watchFilters(registry prometheus.Registerer, failures func() uint64) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "msgq_filter_failures_total", Help: "Filters that could not be evaluated for a message, by a missing field or a wrong type.",
	}, func() float64 { return float64(failures()) }))
}
