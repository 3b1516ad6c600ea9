package httpapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// publishOptions reads the texts of headers or of a batch's item; nil: not given.
func publishOptions(delay, deliverAt, ttl *string) ([]msgq.PublishOption, error) {
	var opts []msgq.PublishOption
	if delay != nil {
		d, err := time.ParseDuration(*delay)
		if err != nil {
			return nil, fmt.Errorf("%w: the delay %.100q is no duration such as 90s", msgq.ErrInvalidDelay, *delay)
		}
		opts = append(opts, msgq.WithDelay(d))
	}
	if deliverAt != nil {
		var at time.Time
		if err := at.UnmarshalText([]byte(strings.ToUpper(*deliverAt))); err != nil { // RFC 3339, section 5.6: t and z are allowed
			return nil, fmt.Errorf("%w: the time %.100q is not like 2026-01-02T15:04:05Z", msgq.ErrInvalidDelay, *deliverAt)
		}
		opts = append(opts, msgq.WithDeliverAt(at))
	}
	if ttl != nil {
		d, err := time.ParseDuration(*ttl)
		if err != nil {
			return nil, fmt.Errorf("%w: the TTL %.100q is no duration such as 90s", msgq.ErrInvalidTTL, *ttl)
		}
		opts = append(opts, msgq.WithTTL(d))
	}
	return opts, nil
}
