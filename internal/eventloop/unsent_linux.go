package eventloop

import "golang.org/x/sys/unix"

// unsent is the number of bytes that were written and that the peer's system has not acknowledged yet; of a unix
// socket, that the peer has not read. It is 0 if that cannot be found out, as of a connection that is broken.
func unsent(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}
