package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// poller watches sockets for one thread. Its system calls are raw: the programs that use it have one
// goroutine and nothing else to do while it waits, so that the scheduler would only cost time.
type poller struct {
	fd     int
	events [1024]syscall.EpollEvent
}

// ready is a socket with something to do, by the number that it was added under.
type ready struct {
	id             int
	read, writable bool
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) close() { closeSocket(p.fd) }

// add has the socket watched for bytes to read.
func (p *poller) add(fd, id int) error { return p.control(syscall.EPOLL_CTL_ADD, fd, id, false) }

// change says whether the socket is also watched for room to write.
func (p *poller) change(fd, id int, write bool) error {
	return p.control(syscall.EPOLL_CTL_MOD, fd, id, write)
}

func (p *poller) control(op, fd, id int, write bool) error {
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(id)}
	if write {
		ev.Events |= syscall.EPOLLOUT
	}
	if err := syscall.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// wait appends the sockets that are ready to dst. It returns none after the timeout, and perhaps
// earlier.
func (p *poller) wait(dst []ready, timeout time.Duration) ([]ready, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(timeout.Milliseconds()), 0, 0)
	return p.take(dst, n, errno)
}

// sysEpollPwait2 has one number on all architectures: since Linux 5.11.
const sysEpollPwait2 = 441

// waitExactly is wait with a timeout that is not rounded to milliseconds.
func (p *poller) waitExactly(dst []ready, timeout time.Duration) ([]ready, error) {
	ts := syscall.NsecToTimespec(timeout.Nanoseconds())
	n, _, errno := syscall.RawSyscall6(sysEpollPwait2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	return p.take(dst, n, errno)
}

// exactTimers has the kernel wake this thread when it should, where it usually allows itself 50 µs.
func exactTimers() {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, 1, 0, 0, 0, 0) // it cannot fail
}

// take appends the n sockets that a wait has found.
func (p *poller) take(dst []ready, n uintptr, errno syscall.Errno) ([]ready, error) {
	if errno == syscall.EINTR {
		return dst, nil
	}
	if errno != 0 {
		return dst, fmt.Errorf("epoll: %w", errno)
	}
	for _, ev := range p.events[:n] {
		// An error or a hang-up is found by reading.
		dst = append(dst, ready{int(ev.Fd), ev.Events&^syscall.EPOLLOUT != 0, ev.Events&syscall.EPOLLOUT != 0})
	}
	return dst, nil
}

// dialSocket connects to a port of loopback.
func dialSocket(port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = prepare(fd)
	}
	if err != nil {
		closeSocket(fd)
		return -1, fmt.Errorf("connecting to port %d: %w", port, err)
	}
	return fd, nil
}

func prepare(fd int) error {
	return errors.Join(syscall.SetNonblock(fd, true), syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
}

// listenSocket listens on a port of loopback.
func listenSocket(port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = syscall.Listen(fd, 1024)
	}
	if err != nil {
		closeSocket(fd)
		return -1, fmt.Errorf("listening on port %d: %w", port, err)
	}
	return fd, nil
}

// acceptSocket returns -1 if nobody waits to be accepted.
func acceptSocket(listener int) (int, error) {
	fd, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EINTR):
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("accept: %w", err)
	}
	return fd, prepare(fd)
}

// readSocket reads once. n is 0 without an error if there is nothing, and -1 at the end of the stream.
func readSocket(fd int, b []byte) (n int, err error) {
	r, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch {
	case errno == syscall.EAGAIN, errno == syscall.EINTR:
		return 0, nil
	case errno == syscall.ECONNRESET, errno == 0 && r == 0:
		return -1, nil
	case errno != 0:
		return 0, fmt.Errorf("read: %w", errno)
	}
	return int(r), nil
}

// writeSocket writes what there is room for, which may be nothing. n is -1 if the peer has gone.
func writeSocket(fd int, b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	r, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch errno {
	case 0:
		return int(r), nil
	case syscall.EAGAIN, syscall.EINTR:
		return 0, nil
	case syscall.EPIPE, syscall.ECONNRESET:
		return -1, nil
	}
	return 0, fmt.Errorf("write: %w", errno)
}

func closeSocket(fd int) {
	_ = syscall.Close(fd) // the kernel frees the number whatever it answers
}

// localPort is for tests, which listen on port 0.
func localPort(fd int) (int, error) {
	a, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	inet, ok := a.(*syscall.SockaddrInet4)
	if !ok {
		return 0, net.UnknownNetworkError("not IPv4")
	}
	return inet.Port, nil
}
