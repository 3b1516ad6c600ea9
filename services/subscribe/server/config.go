package server

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/settings"
	"github.com/asyncmsglib/msgq/services/internal/tracing"
)

// Config is all that can be set. Each setting is a flag and an environment variable.
type Config struct {
	Addr           string         `name:"subscribe-addr" env:"MSGQ_SUBSCRIBE_ADDR" default:"127.0.0.1:8081" help:"Address to listen on."`
	PublishURL     string         `name:"publish-url" env:"MSGQ_PUBLISH_URL" default:"http://127.0.0.1:8080" help:"Publish service, for the dashboard's form."`
	MaxConnections int            `env:"MSGQ_MAX_CONNECTIONS" default:"10000" help:"WebSocket and SSE connections at once."`
	ClientBuffer   settings.Bytes `env:"MSGQ_CLIENT_BUFFER" default:"1MiB" help:"What may wait for one client."`
	BrokerGrace    time.Duration  `env:"MSGQ_BROKER_GRACE" default:"1m" help:"How long connections wait for a broker that is gone."`
	MaxQueues      int            `env:"MSGQ_MAX_QUEUES" default:"100" help:"Queues that may exist, at most 900."`
	PushPrivate    bool           `env:"MSGQ_PUSH_PRIVATE" help:"Push to webhooks at private and loopback addresses too."`

	settings.HTTP   `embed:""`
	settings.Broker `embed:"" group:"Broker"`
	settings.Log    `embed:"" group:"Log"`
}

// Check names every wrong setting.
func (c Config) Check() []error {
	wrong := slices.Concat(c.Broker.Check(), c.Log.Check(), tracing.Check())
	wrong = append(wrong, c.HTTP.Check("MSGQ_SUBSCRIBE_ADDR", c.Addr)...)
	if err := auth.Check(c.HTTP); err != nil {
		wrong = append(wrong, err)
	}
	if u, err := url.Parse(c.PublishURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		wrong = append(wrong, fmt.Errorf("MSGQ_PUBLISH_URL: %q is no URL such as http://127.0.0.1:8080", c.PublishURL))
	}
	if c.MaxConnections < 1 {
		wrong = append(wrong, fmt.Errorf("MSGQ_MAX_CONNECTIONS: %d, at least 1 is needed", c.MaxConnections))
	}
	if c.ClientBuffer < 4<<10 || c.ClientBuffer > 1<<30 {
		wrong = append(wrong, fmt.Errorf("MSGQ_CLIENT_BUFFER: %s, 4KiB to 1GiB are allowed", c.ClientBuffer))
	}
	if c.BrokerGrace < time.Second {
		wrong = append(wrong, fmt.Errorf("MSGQ_BROKER_GRACE: %s, at least 1s is needed", c.BrokerGrace))
	}
	if c.MaxQueues < 1 || c.MaxQueues > msgq.QueueLimit {
		wrong = append(wrong, fmt.Errorf("MSGQ_MAX_QUEUES: %d, 1 to %d are allowed", c.MaxQueues, msgq.QueueLimit))
	}
	return wrong
}

// ParseConfig reads the MSGQ_* variables and flags. Its error is a joined one of all wrong settings.
func ParseConfig(flags ...string) (Config, error) {
	var c struct {
		Config `embed:""`
	}
	_, err := settings.Parse(&c, flags, func() []error { return c.Config.Check() })
	return c.Config, err
}

// Logging is how the service logs.
func (c Config) Logging() settings.Log { return c.Log }

// Address is where the service listens.
func (c Config) Address() string { return c.Addr }
