//go:build !linux

package wsconn

// unacknowledged is not known here.
func (s *socket) unacknowledged() int { return -1 }
