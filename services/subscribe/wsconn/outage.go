package wsconn

import "time"

// outage knows since when the broker is gone. A connection that waits for it longer
// than the grace is closed with 4503: its client may reach another instance that is better off.
type outage struct {
	grace time.Duration
	since time.Time // zero while there is none
}

func (o *outage) beat(now time.Time, connected bool) {
	switch {
	case connected:
		o.since = time.Time{}
	case o.since.IsZero():
		o.since = now
	}
}

// over reports whether a connection has waited long enough. Those with other phases
// of their heartbeats end at other times, so that not all come back at once.
func (o *outage) over(c *conn, now time.Time) bool {
	if o.since.IsZero() {
		return false
	}
	from := o.since
	if c.since.After(from) {
		from = c.since
	}
	stagger := maxSpread * time.Duration(c.phase) / time.Duration(pingBeats)
	return now.Sub(from) >= o.grace+min(stagger, o.grace)
}
