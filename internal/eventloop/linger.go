package eventloop

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// A socket that is closed while there are bytes in it that were not read, or that gets some later, resets its
// connection, and a reset takes from the peer what it has not received yet. So a socket whose peer may go on
// sending is closed only when the peer has everything.
const (
	// lingerMost bounds that: a peer that is gone without a word takes nothing.
	lingerMost  = 30 * time.Second
	lingerEvery = 5 * time.Millisecond
)

// lingering is a socket that no connection has any more.
type lingering struct {
	fd    int
	until clock.Instant
}

// Finish ends a connection, as Close does, but its peer gets what the kernel has been given. A stale id is
// ignored.
func (l *Loop) Finish(id message.ConnID) {
	c := l.find(id)
	if c == nil {
		return
	}
	if c.state == open && !c.eof && unsent(c.fd) > 0 {
		if c.armed != unwatched {
			l.count.Controls++
			l.poll.remove(c.fd)
		}
		l.lingerers = append(l.lingerers, lingering{c.fd, l.now.Add(lingerMost)})
		l.lingerAt = min(l.lingerAt, l.now.Add(lingerEvery))
		c.fd = -1
	}
	l.release(c)
}

// Lingering is the number of sockets that Finish has left open. It is for the loop's goroutine.
func (l *Loop) Lingering() int { return len(l.lingerers) }

// tendLingering closes the sockets whose peers have everything.
func (l *Loop) tendLingering() {
	left := l.lingerers[:0]
	for _, s := range l.lingerers {
		if unsent(s.fd) > 0 && !broken(s.fd) && l.now < s.until {
			left = append(left, s)
			continue
		}
		l.closing = append(l.closing, s.fd)
	}
	l.lingerers, l.lingerAt = left, clock.Never
	if len(left) > 0 {
		l.lingerAt = l.now.Add(lingerEvery)
	}
	l.unsettled = true // somebody may wait for the last one
}

// broken says whether the peer has reset the connection: what was not sent then never will be, and goes on being counted.
func broken(fd int) bool {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return err != nil || code != 0
}

// closeLingering closes all.
func (l *Loop) closeLingering() {
	for _, s := range l.lingerers {
		sysClose(s.fd)
	}
	l.lingerers = nil
}
