package server

import (
	"fmt"

	"github.com/asyncmsglib/msgq/services/internal/settings"
)

// Config is all that can be set. Each setting is a flag and an environment variable.
type Config struct {
	Addr    string         `name:"publish-addr" env:"MSGQ_PUBLISH_ADDR" default:"127.0.0.1:8080" help:"Address to listen on."`
	MaxBody settings.Bytes `env:"MSGQ_MAX_BODY" default:"1MiB" help:"Largest message."`

	settings.HTTP   `embed:""`
	settings.Broker `embed:"" group:"Broker"`
	settings.Log    `embed:"" group:"Log"`
}

// Check names every wrong setting.
func (c Config) Check() []error {
	wrong := append(c.Broker.Check(), c.Log.Check()...)
	wrong = append(wrong, c.HTTP.Check("MSGQ_PUBLISH_ADDR", c.Addr)...)
	if c.MaxBody < 1 || c.MaxBody > 64<<20 {
		wrong = append(wrong, fmt.Errorf("MSGQ_MAX_BODY: %s, 1 byte to 64MiB are allowed", c.MaxBody))
	}
	return wrong
}

// ConfigFromEnvironment reads the MSGQ_* variables alone.
func ConfigFromEnvironment() (Config, error) {
	var c struct {
		Config `embed:""`
	}
	_, err := settings.Parse(&c, nil, func() []error { return c.Config.Check() })
	return c.Config, err
}

// Logging is how the service logs.
func (c Config) Logging() settings.Log { return c.Log }

// Address is where the service listens.
func (c Config) Address() string { return c.Addr }
