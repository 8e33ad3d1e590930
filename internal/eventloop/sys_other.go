//go:build unix && !linux

package eventloop

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// The system calls where there is no stable way around the C library.

func newBestPoller() (poller, error) { return newPoll(), nil }

func newEpoll() (poller, error) { return nil, errDriver }

// sysRead reads into p, which is not empty.
func sysRead(fd int, p []byte) (int, syscall.Errno) {
	n, err := unix.Read(fd, p)
	return max(n, 0), errnoOf(err)
}

func sysClose(fd int) { unix.Close(fd) }

// writer gathers buffers, because package unix has no vectored write for all these systems.
type writer struct {
	buf [64 << 10]byte
}

// write makes one system call for at most maxTransfer bytes of bufs. It returns how many it asked
// the kernel to take and how many it took; if asked is 0 there was nothing to write.
func (w *writer) write(fd int, bufs [][]byte) (asked, n int, errno syscall.Errno) {
	for len(bufs) > 0 && len(bufs[0]) == 0 {
		bufs = bufs[1:]
	}
	if len(bufs) == 0 {
		return 0, 0, 0
	}
	out := bufs[0]
	if len(bufs) > 1 && len(out) < len(w.buf) {
		k := 0
		for _, b := range bufs {
			k += copy(w.buf[k:], b)
		}
		out = w.buf[:k]
	}
	out = out[:min(len(out), maxTransfer)]
	n, err := unix.Write(fd, out)
	return len(out), max(n, 0), errnoOf(err)
}

// acceptor accepts connections; it keeps the peer's address of the last one.
type acceptor struct {
	last unix.Sockaddr
}

func (a *acceptor) accept(fd int) (int, syscall.Errno) {
	syscall.ForkLock.RLock() // no child gets the descriptor before it is marked
	nfd, sa, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(nfd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, errnoOf(err)
	}
	if err := unix.SetNonblock(nfd, true); err != nil {
		unix.Close(nfd)
		return -1, errnoOf(err)
	}
	a.last = sa
	return nfd, 0
}

// peer returns the address of the connection last accepted; zero for a unix socket.
func (a *acceptor) peer() netip.AddrPort {
	switch sa := a.last.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// newSocket makes a non-blocking stream socket.
func newSocket(family int) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// newWaker makes the descriptors that end a wait: readable once the other was written to.
func newWaker() (r, w int, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	err = unix.Pipe(p[:])
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, sysError(err)
	}
	for _, fd := range p {
		if err := unix.SetNonblock(fd, true); err != nil {
			unix.Close(p[0])
			unix.Close(p[1])
			return -1, -1, sysError(err)
		}
	}
	return p[0], p[1], nil
}

// wake makes the other end readable. A pipe that is full is readable already.
func wake(fd int) { unix.Write(fd, []byte{1}) }
