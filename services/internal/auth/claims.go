package auth

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// Claims are those of a token: exp is needed, sub names the bearer.
type Claims struct {
	jwt.RegisteredClaims
	Msgq Permissions `json:"msgq"`
}

// Permissions are the claim msgq.
type Permissions struct {
	Publish   []string `json:"publish,omitempty"`   // patterns
	Subscribe []string `json:"subscribe,omitempty"` // patterns
	Queues    []string `json:"queues,omitempty"`    // names, or "*"
	Filter    string   `json:"filter,omitempty"`
	Admin     bool     `json:"admin,omitempty"`
}

// UnmarshalJSON refuses members that it does not know, to the letter, and those given twice: a misspelt one may be the filter.
func (p *Permissions) UnmarshalJSON(text []byte) error {
	type plain Permissions
	return json.Unmarshal(text, (*plain)(p), json.RejectUnknownMembers(true))
}

// Validate is called by the JWT library once the signature was checked. A token
// that is half understood must not allow half of something.
func (c *Claims) Validate() error {
	for claim, patterns := range map[string][]string{"publish": c.Msgq.Publish, "subscribe": c.Msgq.Subscribe} {
		for _, p := range patterns {
			if err := msgq.ValidatePattern(p); err != nil {
				return fmt.Errorf("msgq.%s: %w", claim, err)
			}
		}
	}
	for _, name := range c.Msgq.Queues {
		if name == "*" {
			continue
		}
		if err := msgq.ValidateQueueName(name); err != nil {
			return fmt.Errorf("msgq.queues: %w", err)
		}
	}
	if c.Msgq.Filter == "" {
		return nil
	}
	if _, err := filter.Compile(c.Msgq.Filter); err != nil {
		return fmt.Errorf("msgq.filter: %w", err)
	}
	return nil
}

func (c *Claims) grant() *Grant {
	p := c.Msgq
	return &Grant{
		Subject: c.Subject, Publish: p.Publish, Subscribe: p.Subscribe, Queues: p.Queues, Filter: p.Filter, Admin: p.Admin,
		Expires: c.ExpiresAt.Time,
	}
}
