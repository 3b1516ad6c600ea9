package wire

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// Push has the service POST each message to a URL.
type Push struct {
	URL         string   `json:"url"`
	Secret      Secret   `json:"secret,omitzero"`  // only ever read
	Signed      bool     `json:"signed,omitempty"` // only ever shown: there is a secret
	Timeout     Duration `json:"timeout,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`
}

// Secret is kept where it is left out, and removed where it is null or empty.
type Secret struct{ value *string }

// UnmarshalJSON reads a string or null. What it got it does not repeat.
func (s *Secret) UnmarshalJSON(raw []byte) error {
	var value string // null leaves it empty
	if json.Unmarshal(raw, &value) != nil {
		return errors.New("push.secret: a string or null is expected")
	}
	s.value = &value
	return nil
}

func (p *Push) push() *msgq.Push {
	return &msgq.Push{URL: p.URL, Secret: p.Secret.value, Timeout: time.Duration(p.Timeout), Concurrency: p.Concurrency}
}

func newPush(p *msgq.Push) *Push {
	return &Push{URL: p.URL, Signed: p.SecretID != "", Timeout: Duration(p.Timeout), Concurrency: p.Concurrency}
}
