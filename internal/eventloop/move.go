package eventloop

import "github.com/cashew-proxy/cashew/internal/message"

// Socket is an open connection that belongs to no loop, on its way from one to another.
type Socket int

// Close is for a socket that no loop takes.
func (s Socket) Close() { sysClose(int(s)) }

// Detach gives up a connection without closing it; what was not read yet is still there for whoever takes it. Its id is
// stale from then on. It reports false if there is no such connection, or it has failed.
func (l *Loop) Detach(id message.ConnID) (Socket, bool) {
	c := l.find(id)
	if c == nil || c.state != open {
		return 0, false
	}
	if c.armed != unwatched {
		l.count.Controls++
		l.poll.remove(c.fd)
	}
	s := Socket(c.fd)
	c.fd = -1
	l.release(c)
	return s, true
}

// Attach takes a connection that another loop has detached, under an id of this loop's handler.
func (l *Loop) Attach(id message.ConnID, s Socket) {
	c := l.claim(id)
	c.fd, c.state = int(s), open
	l.mark(c)
}
