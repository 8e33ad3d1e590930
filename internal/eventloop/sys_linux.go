package eventloop

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the data path. They cannot block, so they do not go through the scheduler, unless they copy
// so much that others would wait for them.

// transfer makes a system call for so many bytes.
func transfer(trap, fd, p, n uintptr, size int) (uintptr, syscall.Errno) {
	if size > rawTransfer {
		r, _, errno := unix.Syscall(trap, fd, p, n)
		return r, errno
	}
	r, _, errno := unix.RawSyscall(trap, fd, p, n)
	return r, errno
}

const tcpKeepIdle = unix.TCP_KEEPIDLE

// sysRead reads into p, which is not empty.
func sysRead(fd int, p []byte) (int, syscall.Errno) {
	n, errno := transfer(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), len(p))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func sysClose(fd int) { unix.Close(fd) }

// writer writes vectors of buffers.
type writer struct {
	iov [maxVectors]unix.Iovec
}

// write makes one system call for at most maxTransfer bytes of bufs. It returns how many it asked
// the kernel to take and how many it took; if asked is 0 there was nothing to write.
func (w *writer) write(fd int, bufs [][]byte) (asked, n int, errno syscall.Errno) {
	k := 0
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		b = b[:min(len(b), maxTransfer-asked)]
		w.iov[k].Base = &b[0]
		w.iov[k].SetLen(len(b))
		k++
		asked += len(b)
		if asked == maxTransfer || k == maxVectors {
			break
		}
	}
	var r uintptr
	switch k {
	case 0:
		return 0, 0, 0
	case 1:
		r, errno = transfer(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(w.iov[0].Base)), uintptr(asked), asked)
	default:
		r, errno = transfer(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&w.iov[0])), uintptr(k), asked)
	}
	clear(w.iov[:k]) // see Loop.writeOnce
	if errno != 0 {
		return asked, 0, errno
	}
	return asked, int(r), 0
}

// acceptor accepts connections; it keeps the peer's address of the last one.
type acceptor struct {
	sa unix.RawSockaddrAny
}

func (a *acceptor) accept(fd int) (int, syscall.Errno) {
	size := uint32(unix.SizeofSockaddrAny)
	const flags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	r, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&a.sa)), uintptr(unsafe.Pointer(&size)), flags, 0, 0)
	return int(r), errno
}

// peer returns the address of the connection last accepted; zero for a unix socket.
func (a *acceptor) peer() netip.AddrPort {
	// The port is in network order in the second two bytes, for both families.
	port := binary.BigEndian.Uint16((*[4]byte)(unsafe.Pointer(&a.sa))[2:])
	switch a.sa.Addr.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), port)
	case unix.AF_INET6:
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&a.sa))
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port)
	}
	return netip.AddrPort{}
}

// newSocket makes a non-blocking stream socket.
func newSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

// newWaker makes the descriptors that end a wait: readable once the other was written to.
func newWaker() (r, w int, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return -1, -1, sysError(err)
	}
	return fd, fd, nil
}

// wake makes the other end readable. A counter that is full is readable already.
func wake(fd int) {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}
