package eventloop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func TestListenUnixMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := Listen(topology.Listen{Network: "unix", Address: path, Mode: 0o620})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o620 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	ln.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after close: %v", err)
	}
	ln.Close() // does nothing; it must not close somebody else's descriptor
}

func TestListenUnixStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	where := topology.Listen{Network: "unix", Address: path}

	if _, err := Listen(where); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("while somebody listens: %v", err)
	}
	dead.Close()
	ln, err := Listen(where)
	if err != nil {
		t.Fatalf("in place of a dead one: %v", err)
	}

	// Another process replaces the file: it is not ours to remove.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, err := Listen(where); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("in place of a file: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
}

// What is tried is judged as Listen would, and nothing is left behind: neither a socket, nor a file that was there and is
// gone.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	at := topology.Listen{Network: "unix", Address: path, Mode: 0o600}
	if err := Try(at); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("while somebody listens: %v", err)
	}
	dead.Close()
	before, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Try(at); err != nil {
		t.Errorf("in place of a dead one: %v", err)
	}
	if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("the dead one is touched: %v, %v", after, err)
	}
	at.Address = filepath.Join(dir, "t")
	if err := Try(at); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(at.Address); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	at.Address = filepath.Join(dir, "none", "t")
	if err := Try(at); !errors.Is(err, syscall.ENOENT) || !strings.HasSuffix(err.Error(), "the directory does not exist") {
		t.Errorf("without a directory: %v", err)
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		at.Address = filepath.Join(dir, "t")
		if err := Try(at); !errors.Is(err, syscall.EACCES) {
			t.Errorf("in a directory that is not to be written to: %v", err)
		}
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at = topology.Listen{Network: "tcp", Address: taken.Addr().String()}
	if err := Try(at); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("while somebody listens: %v", err)
	}
	taken.Close()
	if err := Try(at); err != nil {
		t.Error(err)
	}
	ln, err := Listen(at)
	if err != nil {
		t.Fatalf("left behind: %v", err)
	}
	ln.Close()
}

// A socket that listens gets another mode, and the one that it was made with; but no other file in its place does.
func TestChmod(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	plain, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	usual, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	plain.Close()
	ln, err := Listen(topology.Listen{Network: "unix", Address: path, Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, c := range []struct {
		mode uint32
		want os.FileMode
	}{{0o666, 0o666}, {0, usual.Mode().Perm()}, {0o620, 0o620}} {
		if err := ln.Chmod(c.mode); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != c.want {
			t.Errorf("%o: %v, %v", c.mode, info.Mode(), err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ln.Chmod(0o666); err == nil || !strings.Contains(err.Error(), "removed or replaced") {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestListenTCP(t *testing.T) {
	for _, c := range []struct{ address, prefix string }{
		{"127.0.0.1:0", "127.0.0.1:"},
		{"[::1]:0", "[::1]:"},
		{":0", ""},
		{"0.0.0.0:0", "0.0.0.0:"},
	} {
		ln, err := Listen(topology.Listen{Network: "tcp", Address: c.address})
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		_, port, err := net.SplitHostPort(ln.Address())
		if !strings.HasPrefix(ln.Address(), c.prefix) || err != nil || port == "0" {
			t.Errorf("%s: %s, %v", c.address, ln.Address(), err)
		}
		if c.prefix == "" { // both families
			d, err := net.Dial("tcp4", "127.0.0.1:"+port)
			if err != nil {
				t.Error(err)
			} else {
				d.Close()
			}
		}
		ln.Close()
	}
	for _, address := range []string{"127.0.0.1", "127.0.0.1:70000", "no..name:1"} {
		if ln, err := Listen(topology.Listen{Network: "tcp", Address: address}); err == nil {
			ln.Close()
			t.Errorf("%s: no error", address)
		}
	}
}

func TestListenReusePort(t *testing.T) {
	first, err := Listen(topology.Listen{Network: "tcp", Address: "127.0.0.1:0", ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Listen(topology.Listen{Network: "tcp", Address: first.Address(), ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	third, err := Listen(topology.Listen{Network: "tcp", Address: first.Address()})
	if err == nil {
		third.Close()
		t.Fatal("without reuse: no error")
	}
	if want := "listen on " + first.Address() + ": Address already in use: another process listens there"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestAcceptedSocket: options are inherited from the listener, and the peer's address is right.
func TestAcceptedSocket(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		drivers(t, func(t *testing.T, o Options) {
			h := newToy()
			loop, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			h.loop = loop
			ln, err := Listen(topology.Listen{Network: "tcp", Address: address})
			if err != nil {
				loop.Discard()
				t.Fatal(err)
			}
			f := &fixture{T: t, loop: loop, toy: h, address: ln.Address(), ran: make(chan error, 1)}
			if err := loop.AddListener(3, ln, true); err != nil {
				t.Fatal(err)
			}
			f.run()
			c := f.connect()
			n := f.expect("accepted")
			if want := netip.MustParseAddrPort(c.LocalAddr().String()); n.peer != want {
				t.Errorf("peer %v, want %v", n.peer, want)
			}
			f.in(func(clock.Instant) {
				fd := loop.conns[n.id.Slot()].fd
				for _, o := range []struct{ level, name, want int }{
					{unix.IPPROTO_TCP, tcpKeepIdle, 60},
					{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
					{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
				} {
					if got, err := unix.GetsockoptInt(fd, o.level, o.name); got != o.want || err != nil {
						t.Errorf("option %d: %d, %v, want %d", o.name, got, err, o.want)
					}
				}
				for _, o := range [][2]int{{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}} {
					if got, err := unix.GetsockoptInt(fd, o[0], o[1]); got == 0 || err != nil {
						t.Errorf("option %d: %d, %v", o[1], got, err)
					}
				}
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
				if err != nil || flags&unix.O_NONBLOCK == 0 {
					t.Errorf("flags %x, %v", flags, err)
				}
				flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				if err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("descriptor flags %x, %v", flags, err)
				}
			})
		})
	}
}

// TestAdvice: who reads why a listener cannot be opened reads what to do, too.
func TestAdvice(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := Listen(topology.Listen{Network: "unix", Address: filepath.Join(dir, "taken")})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ network, address, want string }{
		{"tcp", "192.0.2.1:0", "Cannot assign requested address: this machine has no such address"},
		{"unix", filepath.Join(dir, "none", "s"), "No such file or directory: the directory does not exist"},
		{"unix", file, "there is a file that is not a socket, and it is left alone"},
		{"unix", taken.Address(), "Address already in use: another process listens there; stop it, or choose another path"},
	} {
		ln, err := Listen(topology.Listen{Network: c.network, Address: c.address})
		if err == nil {
			ln.Close()
			t.Errorf("%s: no error", c.address)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	// Root may do all this, so that permissions are tested without a system.
	for network, want := range map[string]string{"tcp": "choose a higher port", "unix": "change the directory's owner or mode"} {
		if got := advice(SysError{syscall.EACCES}, topology.Listen{Network: network}); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", network, got, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "data" {
		t.Errorf("the file has %q: %v", text, err)
	}
}

// TestNet: a listener of package net's form; a unix socket's file goes with Close, and not before.
func TestNet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, l := range []topology.Listen{{Network: "tcp", Address: "127.0.0.1:0"}, {Network: "unix", Address: path}} {
		ln, err := Listen(l)
		if err != nil {
			t.Fatal(err)
		}
		as, err := ln.Net()
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial(l.Network, ln.Address())
		if err != nil {
			t.Fatal(err)
		}
		if other, err := as.Accept(); err != nil {
			t.Error(err)
		} else {
			other.Close()
		}
		c.Close()
		as.Close()
		if l.Network == "unix" {
			if _, err := os.Lstat(path); err != nil {
				t.Error("package net removed the socket:", err)
			}
		}
		ln.Close()
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Error("the socket is left:", err)
		}
	}
}
