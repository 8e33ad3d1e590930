package eventloop

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/message"
)

// poll is the driver for systems without epoll. A wait costs time for every connection, which is fit
// for a developer's machine.
type poll struct {
	fds []unix.PollFd
	ids []message.ConnID // parallel to fds
	at  []int32          // by descriptor: its index in fds, plus one; 0 if unwatched
}

func newPoll() *poll { return &poll{} }

func (p *poll) add(fd int, id message.ConnID, want interest) syscall.Errno {
	for len(p.at) <= fd {
		p.at = append(p.at, 0)
	}
	p.fds = append(p.fds, unix.PollFd{Fd: int32(fd), Events: pollEvents(want)})
	p.ids = append(p.ids, id)
	p.at[fd] = int32(len(p.fds))
	return 0
}

func (p *poll) change(fd int, _ message.ConnID, want interest) syscall.Errno {
	p.fds[p.at[fd]-1].Events = pollEvents(want)
	return 0
}

// remove puts the last descriptor in the place of the removed one.
func (p *poll) remove(fd int) {
	if fd >= len(p.at) || p.at[fd] == 0 {
		return
	}
	i, last := int(p.at[fd])-1, len(p.fds)-1
	p.fds[i], p.ids[i] = p.fds[last], p.ids[last]
	p.at[p.fds[i].Fd] = int32(i + 1)
	p.at[fd] = 0
	p.fds, p.ids = p.fds[:last], p.ids[:last]
}

func (p *poll) forget(fd int) { p.remove(fd) }

func (p *poll) wait(events []event, timeout int) ([]event, error) {
	n, err := unix.Poll(p.fds, timeout)
	if err != nil {
		if err == unix.EINTR {
			return events, nil
		}
		return events, sysError(err)
	}
	for i := range p.fds {
		if n == 0 {
			break
		}
		seen := p.fds[i].Revents
		if seen == 0 {
			continue
		}
		n--
		events = append(events, event{
			id:       p.ids[i],
			readable: seen&unix.POLLIN != 0,
			writable: seen&unix.POLLOUT != 0,
			broken:   seen&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0,
		})
	}
	return events, nil
}

func (p *poll) close() {}

func pollEvents(want interest) (bits int16) {
	if want&wantRead != 0 {
		bits |= unix.POLLIN
	}
	if want&wantWrite != 0 {
		bits |= unix.POLLOUT
	}
	return bits
}
