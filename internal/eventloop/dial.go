package eventloop

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// outcome is a dial that ended while the handler was busy.
type outcome struct {
	id  message.ConnID
	err error
}

// Dial begins to connect id, a new id, to a server. The handler's Connected tells how it ended, not
// before Dial has returned. There is no time limit but the kernel's: the handler closes a connection
// that it does not want to wait for any longer. Only the server's addresses and KeepAlive are used.
func (l *Loop) Dial(id message.ConnID, s *topology.Server) {
	l.count.Dials++
	c := l.claim(id)
	c.state = resolving
	c.keepAlive = s.KeepAlive
	if s.Network == "unix" {
		l.connect(c, &unix.SockaddrUnix{Name: s.Address})
		return
	}
	if a, err := netip.ParseAddrPort(s.Address); err == nil && a.Addr().Zone() == "" {
		l.connect(c, sockaddr(a, 0))
		return
	}
	l.dialName(c, s.Address)
}

func sockaddr(a netip.AddrPort, zone uint32) unix.Sockaddr {
	if addr := a.Addr().Unmap(); addr.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: addr.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zone}
}

// connect makes the socket and starts the connection. A result that is there at once is reported
// later in the turn, or in the next.
func (l *Loop) connect(c *conn, sa unix.Sockaddr) {
	family := unix.AF_UNIX
	switch sa.(type) {
	case *unix.SockaddrInet4:
		family = unix.AF_INET
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	}
	fd, err := newSocket(family)
	if err != nil {
		l.end(c, sysError(err))
		return
	}
	c.fd = fd
	if family != unix.AF_UNIX {
		err = tune(fd, c.keepAlive)
	}
	if err == nil {
		err = unix.Connect(fd, sa)
	}
	switch err {
	case unix.EINPROGRESS, unix.EINTR: // interrupted, it goes on in the background as well
		c.state = connecting
		l.mark(c)
	case nil:
		l.end(c, nil)
	default:
		l.end(c, SysError{errnoOf(err)})
	}
}

// end queues the outcome of a dial. The poller does not watch it, so that it is reported only once.
func (l *Loop) end(c *conn, err error) {
	c.state = ended
	l.outcomes = append(l.outcomes, outcome{c.id, err})
}

// reportOutcomes concludes the dials that ended at once. Those that end meanwhile wait for the next
// turn, or a server that refuses at once could keep the loop here.
func (l *Loop) reportOutcomes() {
	l.reporting, l.outcomes = l.outcomes, l.reporting[:0]
	for i, o := range l.reporting {
		l.reporting[i] = outcome{}
		slot := int(o.id.Slot())
		if c := l.conns[slot]; c.id == o.id { // else it was closed meanwhile
			l.conclude(c, o.err)
		}
	}
}

// connected finds out how a connect in the background ended.
func (l *Loop) connected(c *conn) {
	errno := pendingError(c.fd)
	if errno == 0 && selfConnected(c.fd) {
		errno = syscall.ECONNREFUSED
	}
	if errno != 0 {
		l.conclude(c, SysError{errno})
		return
	}
	l.conclude(c, nil)
}

// conclude reports how a dial ended.
func (l *Loop) conclude(c *conn, err error) {
	c.state = open
	if err != nil {
		c.state = dead
	}
	if c.name != nil && c.version == c.name.version {
		c.name.failed = err != nil
	}
	l.mark(c)
	l.unsettled = true
	if err == nil {
		l.again = append(l.again, c.id) // requests may have been waiting
	}
	l.handler.Connected(l.now, c.id, err)
}

// selfConnected recognises a TCP connection to itself: a connect to an ephemeral port of this host
// where nobody listens can get that very port as its own and then succeeds. The requests would come
// back as replies.
func selfConnected(fd int) bool {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	peer, err := unix.Getpeername(fd)
	if err != nil {
		return false
	}
	switch a := local.(type) {
	case *unix.SockaddrInet4:
		b, ok := peer.(*unix.SockaddrInet4)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	case *unix.SockaddrInet6:
		b, ok := peer.(*unix.SockaddrInet6)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	}
	return false
}

// pendingError takes the socket's error from it.
func pendingError(fd int) syscall.Errno {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return errnoOf(err)
	}
	return syscall.Errno(v)
}

// tune sets what connections have: no delay of small packets, and keepalive if it is wanted.
func tune(fd int, keepAlive bool) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	wanted := 0
	if keepAlive {
		wanted = 1
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, wanted); err != nil || !keepAlive {
		return err
	}
	// A dead peer is noticed after two minutes instead of the usual two hours.
	const idle, interval, probes = 60, 15, 4 // seconds, seconds
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpKeepIdle, idle); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, interval); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, probes)
}
