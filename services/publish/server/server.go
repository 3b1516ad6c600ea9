// Package server puts the publish service together: settings, the connection to
// the broker, the HTTP API.
package server

import (
	"context"
	"log/slog"
	"net"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/service"
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
	return Serve(ctx, listener, cfg, log)
}

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
	watched := &ready.Client{Client: client, Log: log}
	e := web.New(web.Options{Log: log, Origins: cfg.AllowedOrigins, Check: watched.Check, Registry: web.NewRegistry()})
	api := &httpapi.API{
		Client: watched, MaxBody: int64(cfg.MaxBody), Stall: cfg.ReadTimeout, Budget: limit.NewBudget(limit.BudgetBytes),
	}
	if cfg.Rate > 0 {
		if api.Rate, err = limit.NewRate(cfg.Rate); err != nil {
			return err
		}
	}
	api.Routes(e)
	return service.Serve(ctx, listener, e, log, cfg.ReadTimeout, nil)
}
