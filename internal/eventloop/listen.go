package eventloop

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// defaultBacklog is used where the configuration names none; it is nutcracker's.
const defaultBacklog = 512

// Listener is a socket that listens. Whoever called Listen owns it until it is given to a loop.
type Listener struct {
	fd      int
	network string
	address string
	file    fs.FileInfo // the unix socket's, to recognise it again
	once    sync.Once
}

// Listen makes a non-blocking socket that listens where t says. Names are looked up, so it may block
// and is not for the loop's goroutine. An empty host means all addresses, IPv6 and IPv4.
//
// A unix socket that nobody listens on any more is replaced. Anything else in its place is an error.
func Listen(t topology.Listen) (*Listener, error) {
	ln, err := bind(t)
	if err == nil {
		if err = unix.Listen(ln.fd, backlog(t)); err != nil {
			ln.Close()
			err = sysError(err)
		}
	}
	if err != nil {
		return nil, notListening(t, err)
	}
	return ln, nil
}

// Try finds out whether Listen would succeed. Nobody can connect meanwhile, and nothing is left behind.
func Try(t topology.Listen) error {
	if t.Network == "unix" {
		if err := tryUnix(t.Address); err != nil {
			return notListening(t, err)
		}
		return nil
	}
	ln, err := bind(t)
	if err != nil {
		return notListening(t, err)
	}
	ln.Close()
	return nil
}

// Resolve returns t with an address in place of a host's name. It may block.
func Resolve(t topology.Listen) (topology.Listen, error) {
	if t.Network != "tcp" {
		return t, nil
	}
	a, err := net.ResolveTCPAddr("tcp", t.Address)
	if err != nil {
		return t, notListening(t, err)
	}
	if a.IP != nil {
		t.Address = a.String()
	}
	return t, nil
}

func notListening(t topology.Listen, err error) error {
	return fmt.Errorf("listen on %s: %w%s", t.Address, err, advice(err, t))
}

// bind makes a socket that has the address and does not listen yet.
func bind(t topology.Listen) (*Listener, error) {
	switch t.Network {
	case "tcp":
		return resolveAndBind(t)
	case "unix":
		return bindUnix(t)
	}
	return nil, fmt.Errorf("no such network: %q", t.Network)
}

// Address is where the listener can be reached: "host:port" with the port that the kernel chose if 0
// was asked for, or a path.
func (ln *Listener) Address() string { return ln.address }

// Close closes the socket and removes a unix socket's file, unless another has taken its place. It is
// for listeners that were not given to a loop. Further calls do nothing.
func (ln *Listener) Close() {
	ln.once.Do(func() {
		if ln.fd >= 0 {
			sysClose(ln.fd)
		}
		if ln.file == nil {
			return
		}
		if now, err := os.Lstat(ln.address); err == nil && os.SameFile(now, ln.file) {
			os.Remove(ln.address)
		}
	})
}

// Chmod gives a unix socket's file another mode, 0 the one with which it was made. Any goroutine may call it.
func (ln *Listener) Chmod(mode uint32) error {
	if err := ln.InPlace(); err != nil {
		return err
	}
	to := fs.FileMode(mode)
	if mode == 0 {
		to = ln.file.Mode().Perm()
	}
	if err := os.Chmod(ln.address, to); err != nil {
		return fmt.Errorf("the mode of the socket %s: %w", ln.address, sysError(err))
	}
	return nil
}

// InPlace is an error if a unix socket's file is not there any more. Any goroutine may call it.
func (ln *Listener) InPlace() error {
	if ln.file == nil {
		return nil
	}
	if now, err := os.Lstat(ln.address); err != nil || !os.SameFile(now, ln.file) {
		return fmt.Errorf("the socket %s was removed or replaced by somebody else, and nobody can connect to it: choose another path, or restart", ln.address)
	}
	return nil
}

// Net is the listener in package net's form, for a server that is no event loop. The socket belongs to
// what is returned; Close still removes a unix socket's file, and is to be called after its Close.
func (ln *Listener) Net() (net.Listener, error) {
	file := os.NewFile(uintptr(ln.fd), ln.address)
	defer file.Close() // package net makes a copy
	ln.fd = -1
	return net.FileListener(file)
}

// advice is what a person can do about a failure to listen; "" if the failure says it itself.
func advice(err error, t topology.Listen) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE) && t.Network == "unix":
		return ": another process listens there; stop it, or choose another path"
	case errors.Is(err, unix.EADDRINUSE):
		return ": another process listens there, which \"ss -ltnp\" names; stop it, or choose another port"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return ": this machine has no such address; 0.0.0.0 stands for all it has"
	case errors.Is(err, unix.EACCES) && t.Network == "unix":
		return fmt.Sprintf(": user %d may not create a socket there; change the directory's owner or mode", os.Geteuid())
	case errors.Is(err, unix.EACCES):
		return ": ports below 1024 are for root and for programs with CAP_NET_BIND_SERVICE; choose a higher port"
	case errors.Is(err, unix.ENOENT) && t.Network == "unix":
		return ": the directory does not exist"
	}
	return ""
}

func resolveAndBind(t topology.Listen) (*Listener, error) {
	a, err := net.ResolveTCPAddr("tcp", t.Address)
	if err != nil {
		return nil, err
	}
	addr := a.AddrPort()
	if a.IP == nil {
		// The socket for all IPv6 addresses takes IPv4 as well, if there is IPv6.
		ln, err := bindTCP(&unix.SockaddrInet6{Port: a.Port}, unix.AF_INET6, t)
		if err == nil {
			return ln, nil
		}
		if !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return nil, err
		}
		return bindTCP(&unix.SockaddrInet4{Port: a.Port}, unix.AF_INET, t)
	}
	if addr.Addr().Unmap().Is4() {
		return bindTCP(sockaddr(addr, 0), unix.AF_INET, t)
	}
	zone := 0
	if a.Zone != "" {
		ifi, err := net.InterfaceByName(a.Zone)
		if err != nil {
			return nil, err
		}
		zone = ifi.Index
	}
	return bindTCP(sockaddr(addr, uint32(zone)), unix.AF_INET6, t)
}

func bindTCP(sa unix.Sockaddr, family int, t topology.Listen) (*Listener, error) {
	fd, err := newSocket(family)
	if err != nil {
		return nil, sysError(err)
	}
	ln := &Listener{fd: fd, network: "tcp"}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && t.ReusePort {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if v6, ok := sa.(*unix.SockaddrInet6); err == nil && ok && v6.Addr == [16]byte{} {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		ln.address, err = boundTo(fd)
	}
	if err != nil {
		sysClose(fd)
		return nil, sysError(err)
	}
	return ln, nil
}

// boundTo returns a socket's own address.
func boundTo(fd int) (string, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	a := net.TCPAddr{}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		a.IP, a.Port = sa.Addr[:], sa.Port
	case *unix.SockaddrInet6:
		a.IP, a.Port = sa.Addr[:], sa.Port
		if ifi, err := net.InterfaceByIndex(int(sa.ZoneId)); sa.ZoneId != 0 && err == nil {
			a.Zone = ifi.Name
		}
	}
	return a.String(), nil
}

func backlog(t topology.Listen) int {
	if t.Backlog <= 0 {
		return defaultBacklog
	}
	return t.Backlog
}

func bindUnix(t topology.Listen) (*Listener, error) {
	if err := removeStale(t.Address); err != nil {
		return nil, err
	}
	fd, err := newSocket(unix.AF_UNIX)
	if err != nil {
		return nil, sysError(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: t.Address}); err != nil {
		sysClose(fd)
		return nil, sysError(err)
	}
	ln := &Listener{fd: fd, network: "unix", address: t.Address}
	ln.file, err = os.Lstat(t.Address)
	if err == nil && t.Mode != 0 {
		err = os.Chmod(t.Address, fs.FileMode(t.Mode)) // before it listens: nobody gets in with the umask's
	}
	if err != nil {
		ln.Close()
		return nil, sysError(err)
	}
	return ln, nil
}

// tryUnix is bindUnix without doing it.
func tryUnix(path string) error {
	if _, err := stale(path); err != nil {
		return err
	}
	if err := unix.Faccessat(unix.AT_FDCWD, filepath.Dir(path), unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return sysError(err)
	}
	return nil
}

// removeStale removes a unix socket that a dead process left behind.
func removeStale(path string) error {
	if dead, err := stale(path); err != nil || !dead {
		return err
	}
	return os.Remove(path)
}

// stale says whether there is a unix socket that a dead process left behind. A connection is the only proof that
// somebody listens; anything but a refusal is taken for it.
func stale(path string) (bool, error) {
	if strings.HasPrefix(path, "@") {
		return false, errors.New("abstract unix sockets are not supported")
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, sysError(err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return false, errors.New("there is a file that is not a socket, and it is left alone: remove it, or choose another path")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return false, SysError{unix.EADDRINUSE}
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return false, fmt.Errorf("there is a socket that may be in use: %w", sysError(err))
	}
	return true, nil
}
