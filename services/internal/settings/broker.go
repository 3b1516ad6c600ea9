package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Broker says which broker and which streams a service uses.
type Broker struct {
	NATSURL          string        `name:"nats-url" env:"MSGQ_NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS server, or several with commas between."`
	NATSCreds        string        `name:"nats-creds" env:"MSGQ_NATS_CREDS" type:"path" help:"Credentials file."`
	NATSUser         string        `name:"nats-user" env:"MSGQ_NATS_USER" help:"User name."`
	NATSPasswordFile string        `name:"nats-password-file" env:"MSGQ_NATS_PASSWORD_FILE" type:"path" help:"File that holds the password."`
	NATSCAFile       string        `name:"nats-ca-file" env:"MSGQ_NATS_CA_FILE" type:"path" help:"CA certificates of the NATS server."`
	Stream           string        `env:"MSGQ_STREAM" default:"EVENTS" help:"Stream that holds the messages."`
	Replicas         int           `env:"MSGQ_REPLICAS" default:"1" help:"Copies of each message."`
	MaxAge           time.Duration `env:"MSGQ_MAX_AGE" default:"168h" help:"How long messages are kept."`
	MaxBytes         Bytes         `env:"MSGQ_MAX_BYTES" default:"8GiB" help:"How much the stream holds."`
	WhenFull         string        `env:"MSGQ_WHEN_FULL" default:"discard_old" help:"discard_old or refuse."`
	DuplicateWindow  time.Duration `env:"MSGQ_DUPLICATE_WINDOW" default:"5m" help:"How long message ids are remembered."`
	Provision        bool          `env:"MSGQ_PROVISION" default:"true" negatable:"" help:"Create missing streams; else wait for them."`
}

// Check names every wrong setting.
func (b Broker) Check() []error {
	var wrong []error
	if err := b.streamConfig().Validate(); err != nil {
		wrong = append(wrong, err)
	}
	for _, setting := range [][2]string{
		{"MSGQ_NATS_CREDS", b.NATSCreds}, {"MSGQ_NATS_PASSWORD_FILE", b.NATSPasswordFile}, {"MSGQ_NATS_CA_FILE", b.NATSCAFile},
	} {
		if _, err := os.Stat(setting[1]); setting[1] != "" && err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", setting[0], err))
		}
	}
	if b.NATSUser != "" && b.NATSPasswordFile == "" {
		wrong = append(wrong, errors.New("MSGQ_NATS_PASSWORD_FILE: MSGQ_NATS_USER needs one"))
	}
	return wrong
}

func (b Broker) streamConfig() msgq.Config {
	return msgq.Config{
		URL: b.NATSURL, Stream: b.Stream, Replicas: b.Replicas, MaxAge: b.MaxAge, MaxBytes: int64(b.MaxBytes),
		WhenFull: msgq.WhenFull(b.WhenFull), DuplicateWindow: b.DuplicateWindow, NoProvision: !b.Provision,
	}
}

// Client is the library's configuration for a connection of this name.
func (b Broker) Client(name string, log *slog.Logger) (msgq.Config, error) {
	cfg := b.streamConfig()
	cfg.Name, cfg.Logger = name, log
	if b.NATSCreds != "" {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.UserCredentials(b.NATSCreds))
	}
	if b.NATSUser != "" {
		password, err := os.ReadFile(b.NATSPasswordFile)
		if err != nil {
			return cfg, fmt.Errorf("MSGQ_NATS_PASSWORD_FILE: %w", err)
		}
		cfg.NATSOptions = append(cfg.NATSOptions, nats.UserInfo(b.NATSUser, strings.TrimSpace(string(password))))
	}
	if b.NATSCAFile != "" {
		cfg.NATSOptions = append(cfg.NATSOptions, nats.RootCAs(b.NATSCAFile))
	}
	return cfg, nil
}
