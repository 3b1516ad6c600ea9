package push

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A circuit opens after tripAfter failures without a success between them. Then
// one request at a time finds out whether the endpoint lives, after a pause that grows.
const (
	tripAfter  = 5
	firstPause = time.Second
	maxPause   = time.Minute
)

// errStopped ends the wait for an open circuit.
var errStopped = errors.New("pushing stopped")

// circuit keeps requests from an endpoint that is dead. Breakers of libraries
// refuse a request while they are open; here it waits: its message is out
// already, and giving it back would cost it an attempt.
type circuit struct {
	quit <-chan struct{} // ends all waiting

	mu       sync.Mutex
	failures int       // one after another
	until    time.Time // the next probe; zero: closed
	probing  bool
	pauses   *backoff.ExponentialBackOff
	changed  chan struct{} // closed and replaced when waiting may be over
}

func newCircuit(quit <-chan struct{}) *circuit {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.Multiplier = firstPause, maxPause, 2
	return &circuit{quit: quit, pauses: pauses, changed: make(chan struct{})}
}

// enter waits until a request may be made. leave has to be told of what became of it.
func (c *circuit) enter(ctx context.Context) (probe bool, err error) {
	for {
		probe, pass, wait, changed := c.try()
		if pass {
			return probe, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		case <-c.quit:
			err = errStopped
		}
		timer.Stop()
		if err != nil {
			return false, err
		}
	}
}

// try also tells how long to wait where a request may not pass.
func (c *circuit) try() (probe, pass bool, wait time.Duration, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch wait = time.Until(c.until); {
	case c.until.IsZero():
		return false, true, 0, nil
	case c.probing: // its end changes the circuit
		return false, false, maxPause, c.changed
	case wait <= 0:
		c.probing = true
		return true, true, 0, nil
	}
	return false, false, wait, c.changed
}

// leave says whether the endpoint lives. It reports whether that opened or closed the circuit.
func (c *circuit) leave(probe, alive bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := !c.until.IsZero()
	switch {
	case alive:
		c.failures = 0
		if open {
			c.close()
		}
		return open
	case open && !probe: // made before it opened
		return false
	}
	c.failures++
	if c.failures < tripAfter {
		return false
	}
	c.probing = false
	c.until = time.Now().Add(c.pauses.NextBackOff())
	c.wake()
	return !open
}

// reset begins anew: the endpoint is another.
func (c *circuit) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = 0
	c.close()
}

// close is for the holder of mu, as wake is.
func (c *circuit) close() {
	c.until, c.probing = time.Time{}, false
	c.pauses.Reset()
	c.wake()
}

func (c *circuit) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}
