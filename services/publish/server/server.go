// Package server puts the publish service together: settings, the connection to
// the broker, the HTTP API.
package server

import (
	"context"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/service"
	"github.com/asyncmsglib/msgq/services/internal/settings"
	"github.com/asyncmsglib/msgq/services/internal/tracing"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/httpapi"
	"github.com/asyncmsglib/msgq/services/publish/limit"
	"github.com/asyncmsglib/msgq/services/publish/ready"
)

// Run listens where cfg says and serves until ctx ends.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	listener, err := service.Listen(ctx, cfg.Addr)
	if err != nil {
		return err
	}
	if cfg.IsLocal() {
		leaveCores(log)
	}
	return Serve(ctx, listener, cfg, log)
}

// leaveCores leaves half of the cores to the broker, which shares them. On two, a message then costs 28 µs of this service's
// CPU and not 39, and 8 % more of them come through: threads that look for work take it from those that have some.
func leaveCores(log *slog.Logger) {
	if os.Getenv("GOMAXPROCS") != "" {
		return // somebody knows better
	}
	n := max(1, runtime.GOMAXPROCS(0)/2)
	runtime.GOMAXPROCS(n)
	log.Info("the broker is on this machine: half of the cores are left to it", "gomaxprocs", n)
}

// heapFloor is never touched and takes no memory. It counts as heap in use: without it there are so few MiB of
// that, beside the garbage of 20,000 requests a second, that collecting it runs many times a second and costs a sixth of the CPU.
const heapFloor = 16 << 20

// Serve serves on the listener until ctx ends and everything accepted is answered.
func Serve(ctx context.Context, listener net.Listener, cfg Config, log *slog.Logger) error {
	defer func() { _ = listener.Close() }()
	clientConfig, err := cfg.Broker.Client("msgq-publish", log)
	if err != nil {
		return err
	}
	clientConfig.TailBytes = 1 << 20 // the least: nobody reads here
	client, err := msgq.Open(clientConfig)
	if err != nil {
		return err
	}
	defer client.Close()
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	watched := &ready.Client{Client: client, Log: log}
	verifier, err := auth.New(ctx, cfg.HTTP, log)
	if err != nil {
		return err
	}
	registry := web.NewRegistry()
	web.WatchStreams(registry, client.Usage)
	tracer, err := tracing.New(ctx, "msgq-publish", log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	e := web.New(web.Options{
		Log: log, Addr: listener.Addr(), Origins: cfg.AllowedOrigins, Auth: verifier, Check: watched.Check, Registry: registry, Tracer: tracer,
	})
	api := &httpapi.API{
		Client: watched, Auth: verifier, MaxBody: int64(cfg.MaxBody), Stall: cfg.ReadTimeout, Stopping: ctx,
		Budget: limit.NewBudget(limit.BudgetBytes),
	}
	if cfg.Rate > 0 {
		if api.Rate, err = limit.NewRate(cfg.Rate); err != nil {
			return err
		}
	}
	api.Routes(e)
	var told sync.WaitGroup
	defer told.Wait()
	telling, stop := context.WithCancel(ctx)
	defer stop()
	told.Go(func() { tellLimits(telling, client, cfg, log) })
	return service.Serve(ctx, listener, e, log, cfg.ReadTimeout, nil)
}

// tellLimits says, once the broker is there, what is less than the settings ask for and what cannot be known.
func tellLimits(ctx context.Context, client *msgq.Client, cfg Config, log *slog.Logger) {
	if client.Ready(ctx) != nil {
		return // stopped before
	}
	if limit := client.MaxData(); limit < int64(cfg.MaxBody) {
		log.Warn("messages must be smaller than MSGQ_MAX_BODY: with 64 KiB of headers they have to fit the broker's max_payload",
			"max_body", cfg.MaxBody.String(), "limit", settings.Bytes(limit).String())
	}
	sync := "not told by a broker: only with sync_interval: always does a power cut lose nothing that was acknowledged"
	if cfg.BrokerSyncs {
		sync = "always"
	}
	log.Info("ready to store messages", "replicas", cfg.Replicas, "sync", sync)
}
