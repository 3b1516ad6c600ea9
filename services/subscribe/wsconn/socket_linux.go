package wsconn

import "golang.org/x/sys/unix"

// unacknowledged is how many bytes the kernel holds that the client has not got: of a
// slow client that is megabytes, and the only sign that it takes some. -1: not known.
func (s *socket) unacknowledged() int {
	if s.raw == nil {
		return -1
	}
	held := -1
	_ = s.raw.Control(func(fd uintptr) {
		if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			held = n
		}
	})
	return held
}
