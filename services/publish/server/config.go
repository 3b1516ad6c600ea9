package server

import (
	"fmt"
	"slices"
	"time"

	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/settings"
	"github.com/asyncmsglib/msgq/services/internal/tracing"
)

// Config is all that can be set. Each setting is a flag and an environment variable.
type Config struct {
	Addr    string         `name:"publish-addr" env:"MSGQ_PUBLISH_ADDR" default:"127.0.0.1:8080" help:"Address to listen on."`
	MaxBody settings.Bytes `env:"MSGQ_MAX_BODY" default:"1MiB" help:"Largest message."`
	Rate    int            `env:"MSGQ_RATE" default:"0" help:"Messages a second from one remote address; 0: as many as come."`
	// ReadTimeout bounds the reading of one request, and how long a batch may stand still.
	ReadTimeout time.Duration `env:"MSGQ_READ_TIMEOUT" default:"15s" hidden:""`

	// BrokerSyncs is set by who knows that the broker writes every message to disk; no broker tells.
	BrokerSyncs bool `kong:"-"`

	settings.HTTP   `embed:""`
	settings.Broker `embed:"" group:"Broker"`
	settings.Log    `embed:"" group:"Log"`
}

// Check names every wrong setting.
func (c Config) Check() []error {
	wrong := slices.Concat(c.Broker.Check(), c.Log.Check(), tracing.Check())
	wrong = append(wrong, c.HTTP.Check("MSGQ_PUBLISH_ADDR", c.Addr)...)
	if err := auth.Check(c.HTTP); err != nil {
		wrong = append(wrong, err)
	}
	if c.MaxBody < 1 || c.MaxBody > 64<<20 {
		wrong = append(wrong, fmt.Errorf("MSGQ_MAX_BODY: %s, 1 byte to 64MiB are allowed", c.MaxBody))
	}
	if c.Rate < 0 {
		wrong = append(wrong, fmt.Errorf("MSGQ_RATE: %d, 0 or more is allowed", c.Rate))
	}
	if c.ReadTimeout <= 0 {
		wrong = append(wrong, fmt.Errorf("MSGQ_READ_TIMEOUT: %s, a duration above 0 is expected", c.ReadTimeout))
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
