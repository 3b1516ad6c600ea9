package msgq

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Push says where the service itself delivers a queue's messages.
type Push struct {
	// URL takes a POST for each message: http or https, without user and password, at most 2048 bytes.
	URL string `json:"url"`
	// Secret signs the requests: "whsec_" and the base64 of 24 to 64 bytes. Nil keeps
	// the one that the queue has, empty removes it. It is never told again but by
	// [Client.PushSecret].
	Secret *string `json:"-"`
	// SecretID names the secret that the queue has, and is another for another one;
	// empty: the requests are not signed. What a caller sets is ignored.
	SecretID string `json:"secret_id,omitempty"`
	// Timeout bounds one POST, 100ms to 5m. Default: 15 s.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Concurrency is how many POSTs run at once, 1 to 1000. Default: 8.
	Concurrency int `json:"concurrency,omitempty"`
}

// Limits and defaults of push settings. Standard Webhooks asks for secrets of 24 to 64 bytes.
const (
	DefaultPushTimeout     = 15 * time.Second
	DefaultPushConcurrency = 8
	maxPushTimeout         = 5 * time.Minute
	maxPushURL             = 2048
	secretPrefix           = "whsec_"
	minSecret              = 24
	maxSecret              = 64
)

func (p *Push) validate() error {
	if p == nil {
		return nil
	}
	if err := validatePushURL(p.URL); err != nil {
		return err
	}
	if err := validateSecret(p.Secret); err != nil {
		return err
	}
	if p.Timeout != 0 && (p.Timeout < minAckWait || p.Timeout > maxPushTimeout) {
		return fmt.Errorf("%w: push.timeout %s, %s to %s are allowed", ErrInvalidQueue, p.Timeout, minAckWait, maxPushTimeout)
	}
	if p.Concurrency < 0 || p.Concurrency > maxConcurrency {
		return fmt.Errorf("%w: push.concurrency %d, 1 to %d are allowed", ErrInvalidQueue, p.Concurrency, maxConcurrency)
	}
	return nil
}

// validatePushURL does not repeat what it got where that may hold a password.
func validatePushURL(text string) error {
	if len(text) > maxPushURL {
		return fmt.Errorf("%w: push.url of %d bytes, at most %d are allowed", ErrInvalidQueue, len(text), maxPushURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.ContainsFunc(u.Hostname(), isAlphanumeric) {
		return fmt.Errorf("%w: push.url is no http or https URL such as https://example.com/hook", ErrInvalidQueue)
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return fmt.Errorf("%w: push.url has the port %.20s, 1 to 65535 are allowed", ErrInvalidQueue, u.Port())
	}
	if u.User != nil {
		return fmt.Errorf("%w: push.url has a user or password, which everybody who sees the queue would see; sign with push.secret instead",
			ErrInvalidQueue)
	}
	return nil
}

func isAlphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func validateSecret(secret *string) error {
	if secret == nil || *secret == "" {
		return nil
	}
	encoded, ok := strings.CutPrefix(*secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return fmt.Errorf("%w: push.secret is not %s followed by base64", ErrInvalidQueue, secretPrefix)
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return fmt.Errorf("%w: push.secret of %d bytes, %d to %d are allowed, before base64", ErrInvalidQueue, len(key), minSecret, maxSecret)
	}
	return nil
}

// withDefaults returns a copy.
func (p *Push) withDefaults() *Push {
	if p == nil {
		return nil
	}
	push := *p
	setDefault(&push.Timeout, DefaultPushTimeout)
	setDefault(&push.Concurrency, DefaultPushConcurrency)
	return &push
}

// signs reports whether the queue has a secret.
func (p *Push) signs() bool { return p != nil && p.SecretID != "" }
