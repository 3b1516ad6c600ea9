package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Push has the service POST each message to a URL.
type Push struct {
	URL         string    `json:"url"`
	Secret      Secret    `json:"secret,omitzero"`   // only ever read
	Signed      bool      `json:"signed,omitempty"`  // only ever shown, as the next: there is a secret
	Failing     bool      `json:"failing,omitempty"` // again and again, so that it is only tried now and then
	Timeout     *Duration `json:"timeout,omitempty"`
	Concurrency *int      `json:"concurrency,omitempty"`
}

// Secret is kept where it is left out, and removed where it is null or empty.
type Secret struct{ value *string }

// UnmarshalJSON reads a string or null. What it got it does not repeat.
func (s *Secret) UnmarshalJSON(raw []byte) error {
	var value string // null leaves it empty
	if json.Unmarshal(raw, &value) != nil {
		return errors.New("a string or null is expected")
	}
	s.value = &value
	return nil
}

func (p *Push) push() (*msgq.Push, error) {
	push := &msgq.Push{URL: p.URL, Secret: p.Secret.value}
	if p.Timeout != nil {
		if push.Timeout = time.Duration(*p.Timeout); push.Timeout == 0 { // the library's default
			return nil, fmt.Errorf("%w: push.timeout 0s, at least 100ms is needed", msgq.ErrInvalidQueue)
		}
	}
	if p.Concurrency != nil {
		if push.Concurrency = *p.Concurrency; push.Concurrency == 0 { // the same
			return nil, fmt.Errorf("%w: push.concurrency 0, at least 1 is needed", msgq.ErrInvalidQueue)
		}
	}
	return push, nil
}

func newPush(p *msgq.Push) *Push {
	timeout := Duration(p.Timeout)
	return &Push{URL: p.URL, Signed: p.SecretID != "", Timeout: &timeout, Concurrency: &p.Concurrency}
}
