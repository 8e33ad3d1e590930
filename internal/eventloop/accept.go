package eventloop

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// listener is a Listener that a loop accepts from.
type listener struct {
	*Listener
	number   int // the caller's
	id       message.ConnID
	resumeAt clock.Instant // 0: not paused
	acceptor acceptor
}

// AddListener has the loop accept connections from ln and tell the handler of them under the number
// given. The loop owns ln from then on. It is called before Run, or in the loop's goroutine.
func (l *Loop) AddListener(number int, ln *Listener, clientKeepAlive bool) error {
	if ln.network == "tcp" {
		// Accepted sockets inherit these, which saves the calls for each of them.
		if err := tune(ln.fd, clientKeepAlive); err != nil {
			return fmt.Errorf("listen on %s: %w", ln.address, sysError(err))
		}
	}
	place := slices.Index(l.listeners, nil)
	if place < 0 {
		place = len(l.listeners)
		l.listeners = append(l.listeners, nil)
	}
	a := &listener{Listener: ln, number: number, id: message.NewConnID(listenerSlot-uint32(place), 0)}
	if errno := l.poll.add(ln.fd, a.id, wantRead); errno != 0 {
		return fmt.Errorf("listen on %s: %w", ln.address, SysError{errno})
	}
	l.listeners[place] = a
	return nil
}

// RemoveListener closes the listener that has the number; connections go on. It is for the loop's goroutine.
func (l *Loop) RemoveListener(number int) {
	for i, a := range l.listeners {
		if a != nil && a.number == number {
			l.poll.forget(a.fd)
			a.Close()
			l.listeners[i] = nil
		}
	}
}

// TuneListener has connections that the listener accepts from now on be as the settings say. It is for the
// loop's goroutine.
func (l *Loop) TuneListener(number, backlogSize int, clientKeepAlive bool) error {
	for _, a := range l.listeners {
		if a == nil || a.number != number {
			continue
		}
		err := unix.Listen(a.fd, backlog(topology.Listen{Backlog: backlogSize}))
		if err == nil && a.network == "tcp" {
			err = tune(a.fd, clientKeepAlive)
		}
		if err != nil {
			return fmt.Errorf("listen on %s: %w", a.address, sysError(err))
		}
	}
	return nil
}

// StopAccepting closes all listeners; connections go on. It is for the loop's goroutine.
func (l *Loop) StopAccepting() {
	for _, a := range l.listeners {
		if a != nil {
			l.poll.forget(a.fd)
			a.Close()
		}
	}
	l.listeners = nil
	l.resumeAt = clock.Never
}

// acceptFrom accepts what waits, at most maxAccepts.
func (l *Loop) acceptFrom(a *listener) {
	for range maxAccepts {
		fd, errno := a.acceptor.accept(a.fd)
		switch errno {
		case 0:
			l.admit(a, fd)
		case syscall.EAGAIN:
			return
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			l.pause(a)
			return
		default:
			// The connection is gone before it was accepted; others may wait behind it.
		}
	}
}

// admit tells the handler of a new connection.
func (l *Loop) admit(a *listener, fd int) {
	l.count.Accepts++
	l.admitting = fd
	id := l.handler.Accept(l.now, a.number, a.acceptor.peer())
	if id == 0 {
		l.admitting = -1
		sysClose(fd)
		return
	}
	c := l.claim(id)
	c.fd = fd
	c.state = open
	l.admitting = -1
	l.mark(c)
}

// pause lets a listener rest: without a descriptor it would be ready for ever and nothing could be
// done about it.
func (l *Loop) pause(a *listener) {
	l.count.AcceptStops++
	l.count.Controls++
	l.poll.change(a.fd, a.id, 0)
	a.resumeAt = l.now.Add(acceptPause)
	l.resumeAt = min(l.resumeAt, a.resumeAt)
}

// resumeListeners ends the pauses that are over.
func (l *Loop) resumeListeners() {
	l.resumeAt = clock.Never
	for _, a := range l.listeners {
		switch {
		case a == nil, a.resumeAt == 0:
		case a.resumeAt <= l.now:
			a.resumeAt = 0
			l.count.Controls++
			l.poll.change(a.fd, a.id, wantRead)
		default:
			l.resumeAt = min(l.resumeAt, a.resumeAt)
		}
	}
}
