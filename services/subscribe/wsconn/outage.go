package wsconn

import "time"

// forsaken reports whether a connection has waited for the broker longer than the grace. It
// is closed then: its client may reach an instance that is better off. Those with other phases
// of their heartbeats wait longer, so that not all come back at once.
func (h *Handler) forsaken(c *conn, outage time.Duration) bool {
	waited := min(outage, time.Since(c.since))
	stagger := maxSpread * time.Duration(c.phase) / time.Duration(pingBeats)
	return waited >= h.opts.BrokerGrace+min(stagger, h.opts.BrokerGrace)
}
