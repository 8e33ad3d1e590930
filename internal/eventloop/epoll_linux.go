package eventloop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/message"
)

// maxEvents bounds the events of one wait; the rest comes with the next.
const maxEvents = 1024

// epoll is the driver for Linux. The event's 64 bits of data are the ConnID.
type epoll struct {
	fd  int
	buf [maxEvents]unix.EpollEvent
}

func newBestPoller() (poller, error) { return newEpoll() }

func newEpoll() (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, sysError(err)
	}
	return &epoll{fd: fd}, nil
}

func (e *epoll) add(fd int, id message.ConnID, want interest) syscall.Errno {
	return e.control(unix.EPOLL_CTL_ADD, fd, id, want)
}

func (e *epoll) change(fd int, id message.ConnID, want interest) syscall.Errno {
	return e.control(unix.EPOLL_CTL_MOD, fd, id, want)
}

func (e *epoll) remove(fd int) { e.control(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// forget does nothing: the kernel forgets a descriptor that is closed.
func (e *epoll) forget(int) {}

func (e *epoll) control(op, fd int, id message.ConnID, want interest) syscall.Errno {
	ev := unix.EpollEvent{Fd: int32(id >> 32), Pad: int32(id)}
	if want&wantRead != 0 {
		ev.Events |= unix.EPOLLIN
	}
	if want&wantWrite != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(e.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}

func (e *epoll) wait(events []event, timeout int) ([]event, error) {
	n, errno := e.call(timeout)
	if errno != 0 {
		if errno == unix.EINTR {
			return events, nil
		}
		return events, SysError{errno}
	}
	for i := range e.buf[:n] {
		ev := &e.buf[i]
		events = append(events, event{
			id:       message.NewConnID(uint32(ev.Fd), uint32(ev.Pad)),
			readable: ev.Events&unix.EPOLLIN != 0,
			writable: ev.Events&unix.EPOLLOUT != 0,
			broken:   ev.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0,
		})
	}
	return events, nil
}

// call waits: raw if it cannot block, else through the scheduler, so that another goroutine can have
// the processor. epoll_pwait without a mask is epoll_wait, which arm64 does not have.
func (e *epoll) call(timeout int) (int, syscall.Errno) {
	var n uintptr
	var errno syscall.Errno
	if timeout == 0 {
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&e.buf[0])), maxEvents, 0, 0, 0)
	} else {
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&e.buf[0])), maxEvents, uintptr(timeout), 0, 0)
	}
	return int(n), errno
}

func (e *epoll) close() { unix.Close(e.fd) }
