package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// tokenFlag is the token for services that want one.
type tokenFlag struct {
	Token string `env:"MSGQ_TOKEN" placeholder:"JWT" help:"Token, where the services want one; others see a flag, not the variable."`
}

func (f tokenFlag) authorize(h http.Header) {
	if f.Token != "" {
		h.Set("Authorization", "Bearer "+f.Token)
	}
}

type tokenCommand struct {
	SecretFile string        `required:"" type:"existingfile" env:"MSGQ_JWT_SECRET_FILE" placeholder:"FILE" help:"The secret that the services have as MSGQ_JWT_SECRET_FILE."`
	Subject    string        `help:"Who it is for."`
	For        time.Duration `default:"24h" help:"How long it holds."`
	Publish    []string      `placeholder:"PATTERN" help:"Topics to publish to; may be repeated."`
	Subscribe  []string      `placeholder:"PATTERN" help:"Topics to see; may be repeated."`
	Queue      []string      `placeholder:"NAME" help:"Queues to work for, * for each; may be repeated."`
	Filter     string        `placeholder:"CEL" help:"Filter that is always applied to what is seen."`
	Admin      bool          `help:"Allow what concerns everybody: connections, all queues, deleting messages."`
}

// Help is shown below the flags.
func (tokenCommand) Help() string {
	return `Makes a token for services that run with MSGQ_AUTH=jwt and MSGQ_JWT_SECRET_FILE. With
public keys or a key set it is your identity provider that makes them.

Examples:
  openssl rand -base64 48 > secret
  msgq token --secret-file secret --publish 'orders.>'
  export MSGQ_TOKEN=$(msgq token --secret-file secret --subscribe '>' --queue '*' --admin)
  msgq token --secret-file secret --subscribe 'orders.>' --filter 'data.tenant == "red"' --for 1h`
}

// minSecret is what the services want of a secret, in bytes.
const minSecret = 32

// Run prints the token.
func (c *tokenCommand) Run(s streams) error {
	if err := c.check(); err != nil {
		return err
	}
	secret, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return err
	}
	secret = bytes.TrimRight(secret, "\r\n")
	if len(secret) < minSecret {
		return &useError{fmt.Sprintf("--secret-file: the secret has %d bytes, the services want at least %d; openssl rand -base64 48 makes one",
			len(secret), minSecret)}
	}
	now := time.Now()
	claims := jwt.MapClaims{"iat": jwt.NewNumericDate(now), "exp": jwt.NewNumericDate(now.Add(c.For)), "msgq": c.permissions()}
	if c.Subject != "" {
		claims["sub"] = c.Subject
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

func (c *tokenCommand) check() error {
	if len(c.Publish)+len(c.Subscribe)+len(c.Queue) == 0 && !c.Admin {
		return &useError{"the token would allow nothing: one of --publish, --subscribe, --queue and --admin is needed"}
	}
	for flag, patterns := range map[string][]string{"--publish": c.Publish, "--subscribe": c.Subscribe} {
		for _, p := range patterns {
			if err := msgq.ValidatePattern(p); err != nil {
				return &useError{flag + ": " + err.Error()}
			}
		}
	}
	for _, name := range c.Queue {
		if name == "*" {
			continue
		}
		if err := msgq.ValidateQueueName(name); err != nil {
			return &useError{"--queue: " + err.Error()}
		}
	}
	if c.Filter != "" {
		if _, err := filter.Compile(c.Filter); err != nil {
			return &useError{"--filter: " + err.Error()}
		}
	}
	if c.For <= 0 {
		return &useError{fmt.Sprintf("--for %s: a duration above 0 is expected", c.For)}
	}
	return nil
}

func (c *tokenCommand) permissions() any {
	return struct {
		Publish   []string `json:"publish,omitempty"`
		Subscribe []string `json:"subscribe,omitempty"`
		Queues    []string `json:"queues,omitempty"`
		Filter    string   `json:"filter,omitempty"`
		Admin     bool     `json:"admin,omitempty"`
	}{c.Publish, c.Subscribe, c.Queue, c.Filter, c.Admin}
}
