package msgqtest

import (
	"errors"

	"golang.org/x/sys/unix"
)

// waitStopped waits until every thread of a child has stopped, and leaves its end to be waited for.
func waitStopped(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
