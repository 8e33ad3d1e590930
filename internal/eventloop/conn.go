package eventloop

import (
	"fmt"
	"syscall"

	"github.com/cashew-proxy/cashew/internal/message"
)

// state is how far a connection is.
type state uint8

const (
	free       state = iota // the slot has no connection
	resolving               // its server's name is being looked up; no descriptor yet
	connecting              // connect(2) was called and goes on
	ended                   // the dial ended; Connected is still to be called
	open
	dead // it failed, the handler knows, and has not closed it yet
)

// conn is one slot of the loop's table.
type conn struct {
	id    message.ConnID
	fd    int // -1: none
	state state
	armed interest // what the poller watches

	paused  bool // the handler wants nothing to be read
	eof     bool // the peer's FIN was read
	blocked bool // the last write was short: wait until writable
	hungUp  bool // broken without an error: watching it for nothing in particular would never end
	marked  bool // in Loop.marked

	keepAlive bool // to be set when the socket is made

	name    *name  // of the server, if it has one; nil for clients
	version uint32 // of the name's address that is used
}

// reads tells whether the connection is to be read when it can be.
func (c *conn) reads() bool { return c.state == open && !c.paused && !c.eof }

// want is what the poller should watch.
func (c *conn) want() interest {
	switch c.state {
	case connecting:
		return wantWrite
	case open:
	default:
		return unwatched
	}
	var w interest
	if c.reads() {
		w |= wantRead
	}
	if c.blocked {
		w |= wantWrite
	}
	if w == 0 && c.hungUp {
		return unwatched
	}
	return w
}

// find returns the connection, or nil if the id is stale, which is counted.
func (l *Loop) find(id message.ConnID) *conn {
	if slot := int(id.Slot()); slot < len(l.conns) {
		if c := l.conns[slot]; c != nil && c.id == id {
			return c
		}
	}
	l.count.Stale++
	return nil
}

// claim makes the connection of a new id. The slot must be free, or its connection dead.
func (l *Loop) claim(id message.ConnID) *conn {
	slot := int(id.Slot())
	if slot >= firstReserved {
		panic(fmt.Sprintf("eventloop: slot %#x is reserved", slot))
	}
	for len(l.conns) <= slot {
		l.conns = append(l.conns, nil)
	}
	c := l.conns[slot]
	if c == nil {
		c = &conn{}
		l.conns[slot] = c
	}
	switch c.state {
	case free:
	case dead:
		l.release(c)
	default:
		panic(fmt.Sprintf("eventloop: slot %d is in use", slot))
	}
	*c = conn{id: id, fd: -1, armed: unwatched, marked: c.marked}
	l.count.Connections++
	return c
}

// release frees the slot. The descriptor lives until the end of the turn, so that no event that the
// poller has already reported can meet another connection under the same number.
func (l *Loop) release(c *conn) {
	if c.fd >= 0 {
		l.closing = append(l.closing, c.fd)
	}
	if c.name != nil {
		l.leaveName(c)
	}
	*c = conn{fd: -1, armed: unwatched, marked: c.marked}
	l.count.Connections--
}

// Close ends a connection, or the attempt to make one. Output that was not sent is dropped, and
// nothing more is reported. A stale id is ignored.
func (l *Loop) Close(id message.ConnID) {
	if c := l.find(id); c != nil {
		l.release(c)
	}
}

// Interest says whether the connection is to be read; it is, until this says otherwise. While it is
// not, errors are reported nevertheless, but a FIN is not. A stale id is ignored.
func (l *Loop) Interest(id message.ConnID, read bool) {
	if c := l.find(id); c != nil && c.paused == read {
		c.paused = !read
		l.mark(c)
	}
}

// ready handles an event of a connection.
func (l *Loop) ready(c *conn, ev event) {
	if c.state == connecting {
		l.connected(c)
		return
	}
	if ev.writable && c.blocked {
		l.unblock(c)
	}
	switch {
	case c.reads():
		if ev.readable || ev.broken { // what came before the error is read first
			l.receive(c)
		}
	case ev.broken && c.state == open:
		if errno := pendingError(c.fd); errno != 0 {
			l.lose(c, errno)
			return
		}
		// A unix socket whose peer is gone. If it is only paused, what it has sent is read later.
		c.hungUp = true
		l.mark(c)
		if c.blocked {
			l.unblock(c) // the write will tell
		}
	}
}

// unblock has the connection written in this turn.
func (l *Loop) unblock(c *conn) {
	c.blocked = false
	l.mark(c)
	l.again = append(l.again, c.id)
}

// receive reads once.
func (l *Loop) receive(c *conn) {
	room := l.handler.Space(c.id, l.scratch)
	if len(room) == 0 {
		room = l.scratch
	}
	room = room[:min(len(room), maxTransfer)]
	l.count.Reads++
	n, errno := sysRead(c.fd, room)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
	case errno != 0:
		l.lose(c, errno)
	case n == 0:
		c.eof = true
		l.mark(c)
		l.handler.Lost(l.now, c.id, nil)
	default:
		l.handler.Received(l.now, c.id, room[:n])
	}
}

// lose reports the end of a connection, once. It stays in its slot, unwatched, until the handler
// closes it.
func (l *Loop) lose(c *conn, errno syscall.Errno) {
	c.state = dead
	l.mark(c)
	l.unsettled = true
	l.handler.Lost(l.now, c.id, SysError{errno})
}

// flush writes a connection's output, until the kernel takes no more, or it was written maxWrites
// times or maxTransfer bytes, and leaves the rest to the poller or to the next turn.
func (l *Loop) flush(id message.ConnID) {
	c := l.find(id)
	if c == nil {
		return
	}
	for times, bytes := 0, 0; times < maxWrites && bytes < maxTransfer; times++ {
		if c.id != id || c.state != open || c.blocked {
			return
		}
		n, more := l.writeOnce(c)
		if !more {
			return
		}
		bytes += n
	}
	if c.id == id && c.state == open {
		l.again = append(l.again, id)
	}
}

// writeOnce asks for output and writes what one system call may take. It returns how much that was and whether all of
// it was taken, so that there may be more.
func (l *Loop) writeOnce(c *conn) (n int, more bool) {
	l.iov = l.handler.Output(c.id, l.iov[:0])
	if len(l.iov) == 0 {
		return 0, false
	}
	asked, n, errno := l.writer.write(c.fd, l.iov)
	// Large buffers are mapped and may be unmapped; a pointer left here could then point into what
	// the Go heap puts in their place.
	clear(l.iov)
	if asked == 0 {
		return 0, false
	}
	l.count.Writes++
	switch errno {
	case 0:
	case syscall.EINTR:
		return 0, true
	case syscall.EAGAIN:
		n = 0
	default:
		l.lose(c, errno)
		return 0, false
	}
	if n < asked {
		c.blocked = true
		l.mark(c)
	}
	if n > 0 {
		l.unsettled = true
		l.handler.Sent(l.now, c.id, n)
	}
	return n, n == asked
}

// mark has the poller told of a change at the end of the turn. Most changes are undone by then.
func (l *Loop) mark(c *conn) {
	if !c.marked {
		c.marked = true
		l.marked = append(l.marked, c)
	}
}

// armMarked tells the poller what to watch. Lost may mark more connections meanwhile.
func (l *Loop) armMarked() {
	for i := 0; i < len(l.marked); i++ {
		c := l.marked[i]
		c.marked = false
		want := c.want()
		if want == c.armed {
			continue
		}
		var errno syscall.Errno
		l.count.Controls++
		switch {
		case c.armed == unwatched:
			errno = l.poll.add(c.fd, c.id, want)
		case want == unwatched:
			l.poll.remove(c.fd)
		default:
			errno = l.poll.change(c.fd, c.id, want)
		}
		if errno != 0 {
			c.armed = unwatched
			l.fail(c, errno)
			continue
		}
		c.armed = want
	}
	l.marked = l.marked[:0]
}

// fail reports that the poller does not take a connection: the system is out of memory or at its
// limit of watches.
func (l *Loop) fail(c *conn, errno syscall.Errno) {
	if c.state == connecting {
		l.conclude(c, SysError{errno})
		return
	}
	l.lose(c, errno)
}

// closeDescriptors closes what was released in the turn.
func (l *Loop) closeDescriptors() {
	for _, fd := range l.closing {
		l.poll.forget(fd)
		sysClose(fd)
	}
	l.closing = l.closing[:0]
}

// closeConnections closes every connection and forgets what was planned for them.
func (l *Loop) closeConnections() {
	if l.admitting >= 0 {
		l.closing = append(l.closing, l.admitting)
		l.admitting = -1
	}
	for _, c := range l.conns {
		if c != nil && c.state != free {
			l.release(c)
		}
	}
	for _, c := range l.marked {
		c.marked = false
	}
	for _, n := range l.names {
		n.waiting = nil // the next handler may use the same ids
	}
	clear(l.iov[:cap(l.iov)])
	l.marked, l.again, l.events, l.outcomes = l.marked[:0], l.again[:0], l.events[:0], nil
	l.closeDescriptors()
}
