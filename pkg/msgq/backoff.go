package msgq

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Backoff is how long a failed message waits for its next attempt. The zero
// value is [DefaultBackoff].
type Backoff struct {
	// Base is the wait before the second attempt, doubled for each further one.
	Base time.Duration
	// Max bounds the doubling. Default: 15 minutes.
	Max time.Duration
	// List, if set, is taken as it is, without doubling and jitter: the first wait
	// is List[0], and the last one repeats.
	List []time.Duration
}

// DefaultBackoff waits 1 s, 2 s, 4 s … up to 15 minutes, each with up to 20 % more.
var DefaultBackoff = Backoff{Base: time.Second, Max: 15 * time.Minute}

const (
	backoffJitter = 0.2
	maxBackoff    = 24 * time.Hour
)

// Delay is the wait after the attempt (from 1) failed.
func (b Backoff) Delay(attempt int) time.Duration {
	if len(b.List) > 0 {
		return b.List[min(max(attempt, 1), len(b.List))-1]
	}
	b = b.withDefaults()
	d := b.Base
	for i := 1; i < attempt && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	return min(d+time.Duration(rand.Float64()*backoffJitter*float64(d)), maxBackoff) //nolint:gosec // jitter needs no secret
}

func (b Backoff) withDefaults() Backoff {
	if len(b.List) == 0 {
		setDefault(&b.Base, DefaultBackoff.Base)
		setDefault(&b.Max, max(DefaultBackoff.Max, b.Base))
	}
	return b
}

func (b Backoff) validate() error {
	for _, d := range append([]time.Duration{b.Base, b.Max}, b.List...) {
		if d < 0 || d > maxBackoff {
			return fmt.Errorf("%w: backoff %s, 0 to %s are allowed", ErrInvalidQueue, d, maxBackoff)
		}
	}
	if len(b.List) > maxAttempts {
		return fmt.Errorf("%w: backoff list of %d, at most %d are allowed", ErrInvalidQueue, len(b.List), maxAttempts)
	}
	return nil
}
