package settings

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Broker says which broker and which streams a service uses.
type Broker struct {
	NATSURL          string        `name:"nats-url" env:"MSGQ_NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS server, or several with commas between."`
	NATSCreds        string        `name:"nats-creds" env:"MSGQ_NATS_CREDS" help:"Credentials file."`
	NATSUser         string        `name:"nats-user" env:"MSGQ_NATS_USER" help:"User name."`
	NATSPasswordFile string        `name:"nats-password-file" env:"MSGQ_NATS_PASSWORD_FILE" help:"File that holds the password."`
	NATSCAFile       string        `name:"nats-ca-file" env:"MSGQ_NATS_CA_FILE" help:"CA certificates of the NATS server."`
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
	return slices.Concat(b.checkStream(), b.checkURLs(), b.checkFiles())
}

// checkStream has the library look, for which zero stands for a default.
func (b Broker) checkStream() []error {
	names := map[string]string{
		"Stream": "MSGQ_STREAM", "Replicas": "MSGQ_REPLICAS", "MaxAge": "MSGQ_MAX_AGE", "MaxBytes": "MSGQ_MAX_BYTES",
		"WhenFull": "MSGQ_WHEN_FULL", "DuplicateWindow": "MSGQ_DUPLICATE_WINDOW",
	}
	var wrong []error
	for _, setting := range []struct {
		field string
		zero  bool
	}{
		{"Stream", b.Stream == ""}, {"Replicas", b.Replicas == 0}, {"MaxAge", b.MaxAge == 0}, {"MaxBytes", b.MaxBytes == 0},
		{"WhenFull", b.WhenFull == ""}, {"DuplicateWindow", b.DuplicateWindow == 0},
	} {
		if setting.zero {
			wrong = append(wrong, fmt.Errorf("%s: nothing, or 0, is not allowed", names[setting.field]))
		}
	}
	if joined, ok := b.streamConfig().Validate().(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if field, ok := errors.AsType[*msgq.ConfigError](err); ok {
				err = fmt.Errorf("%s: %s", names[field.Field], field.Reason)
			}
			wrong = append(wrong, err)
		}
	}
	return wrong
}

func (b Broker) checkURLs() []error {
	_, err := b.urls()
	if err != nil {
		return []error{err}
	}
	return nil
}

func (b Broker) urls() (urls []*url.URL, err error) {
	for i, text := range strings.Split(b.NATSURL, ",") {
		text = strings.TrimSpace(text)
		if !strings.Contains(text, "://") {
			text = "nats://" + text // as nats.go takes it
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			// It may have a password: only its place is told.
			return nil, fmt.Errorf("MSGQ_NATS_URL: number %d is no URL such as nats://127.0.0.1:4222", i+1)
		}
		urls = append(urls, u)
	}
	return urls, nil
}

// IsLocal reports whether the broker is on this machine.
func (b Broker) IsLocal() bool {
	urls, err := b.urls()
	return err == nil && !slices.ContainsFunc(urls, func(u *url.URL) bool { return !isLoopback(u.Hostname()) })
}

func (b Broker) checkFiles() []error {
	var wrong []error
	for _, setting := range []struct {
		name, path, what string
		good             func(content []byte) bool
	}{
		{"MSGQ_NATS_CREDS", b.NATSCreds, "credentials of NATS, a JWT and a seed", isCreds},
		{"MSGQ_NATS_PASSWORD_FILE", b.NATSPasswordFile, "a password", func(text []byte) bool { return len(bytes.TrimSpace(text)) > 0 }},
		{"MSGQ_NATS_CA_FILE", b.NATSCAFile, "certificates in PEM", x509.NewCertPool().AppendCertsFromPEM},
	} {
		if setting.path == "" {
			continue
		}
		content, err := os.ReadFile(setting.path)
		if err == nil && !setting.good(content) {
			err = fmt.Errorf("%s does not have %s", setting.path, setting.what)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", setting.name, err))
		}
	}
	switch {
	case b.NATSUser != "" && b.NATSPasswordFile == "":
		wrong = append(wrong, errors.New("MSGQ_NATS_PASSWORD_FILE: MSGQ_NATS_USER needs one"))
	case b.NATSUser == "" && b.NATSPasswordFile != "":
		wrong = append(wrong, errors.New("MSGQ_NATS_USER: MSGQ_NATS_PASSWORD_FILE is of nobody without one"))
	}
	return wrong
}

func isCreds(content []byte) bool {
	_, err := nkeys.ParseDecoratedJWT(content)
	if err != nil {
		return false
	}
	_, err = nkeys.ParseDecoratedUserNKey(content)
	return err == nil
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
