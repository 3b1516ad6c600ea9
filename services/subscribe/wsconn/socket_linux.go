package wsconn

import "golang.org/x/sys/unix"

// unacknowledged is how many bytes the kernel holds that the client has not got: of a
// slow client, and of one behind a broken network, that is megabytes.
func (s *socket) unacknowledged() (held int) {
	if s.raw == nil {
		return 0
	}
	_ = s.raw.Control(func(fd uintptr) {
		held, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) // 0 where it fails: the connection is closed
	})
	return held
}
