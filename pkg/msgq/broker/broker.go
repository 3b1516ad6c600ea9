// Package broker runs a NATS server with JetStream inside this process: for
// tests, and for everything on one machine. It syncs every message to disk.
package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Config says where the broker listens and keeps its data.
type Config struct {
	// Dir is where streams are stored. Needed.
	Dir string
	// Host and Port to listen on. Defaults: 127.0.0.1 and 4222; a port of -1 takes a free one.
	Host string
	Port int
	// Logger takes the server's log. Default: none.
	Logger *slog.Logger
}

// MaxPayload is the largest message this broker takes, in bytes: 1 MiB of data
// with room for headers.
const MaxPayload = 2 << 20

// startTimeout bounds recovery of the streams on disk.
const startTimeout = time.Minute

// Broker is a running server. [Broker.Shutdown] ends it.
type Broker struct {
	srv  *server.Server
	dir  string
	lock *os.File // held while the server runs
}

// Start runs a broker and returns once it takes connections.
func Start(cfg Config) (*Broker, error) {
	if cfg.Dir == "" {
		return nil, errors.New("broker: Dir is empty: name the folder that keeps the data")
	}
	opts := &server.Options{
		ServerName: "msgq",
		Host:       cfg.Host,
		Port:       cfg.Port,
		JetStream:  true,
		StoreDir:   cfg.Dir,
		SyncAlways: true,
		MaxPayload: MaxPayload,
		NoSigs:     true,
	}
	if opts.Host == "" {
		opts.Host = "127.0.0.1"
	}
	locked, err := lock(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		_ = locked.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	log := newLogger(cfg.Logger)
	srv.SetLogger(log, false, false)
	srv.Start()
	if err := waitReady(srv, log.fatal); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		_ = locked.Close()
		return nil, fmt.Errorf("broker on %s with data in %s: %w", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)), cfg.Dir, err)
	}
	return &Broker{srv: srv, dir: cfg.Dir, lock: locked}, nil
}

// waitReady waits for the server, or for the reason why it does not start.
func waitReady(srv *server.Server, fatal <-chan string) error {
	for start := time.Now(); time.Since(start) < startTimeout; {
		if srv.ReadyForConnections(20 * time.Millisecond) {
			return nil
		}
		select {
		case reason := <-fatal:
			return errors.New(reason)
		default:
		}
	}
	return fmt.Errorf("not ready after %s", startTimeout)
}

// URL is where clients connect.
func (b *Broker) URL() string { return b.srv.ClientURL() }

// Dir is where the data is.
func (b *Broker) Dir() string { return b.dir }

// Shutdown ends the server and waits until its files are closed. A second call is harmless.
func (b *Broker) Shutdown() {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	_ = b.lock.Close()
}
