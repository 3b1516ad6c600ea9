package msgq

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// openTimeout is how long a client waits for its broker before it goes on without.
const openTimeout = time.Second

// dialer ends dials with the client: the NATS client holds its lock meanwhile, and so would its Close wait for them.
type dialer struct {
	timeout time.Duration
	ctx     atomic.Pointer[context.Context] // of the opening, then of the client
}

func newDialer(opening context.Context) *dialer {
	d := new(dialer)
	d.ctx.Store(&opening)
	return d
}

// option leaves alone a dialer that the caller chose.
func (d *dialer) option(o *nats.Options) error {
	if o.CustomDialer == nil && o.Dialer == nil {
		o.CustomDialer, d.timeout = d, o.Timeout
	}
	return nil
}

// Dial is called by the NATS client.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: d.timeout}).DialContext(*d.ctx.Load(), network, address)
}
