package eventloop

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// backend listens and echoes on nothing: the test talks for it.
func backend(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln := backend(t, "tcp", "127.0.0.1:0")
	ln.Close()
	return ln.Addr().String()
}

func TestDialSucceeds(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		addrs, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", "localhost")
		if err != nil {
			t.Fatal(err)
		}
		local := backend(t, "tcp", net.JoinHostPort(addrs[0].Unmap().String(), "0"))
		_, port, _ := net.SplitHostPort(local.Addr().String())
		tcp := backend(t, "tcp", "127.0.0.1:0")
		path := filepath.Join(t.TempDir(), "s")
		f := start(t, o, newToy())
		for _, c := range []struct {
			name   string
			ln     net.Listener
			server topology.Server
		}{
			{"tcp", tcp, topology.Server{Network: "tcp", Address: tcp.Addr().String(), KeepAlive: true}},
			{"unix", backend(t, "unix", path), topology.Server{Network: "unix", Address: path}},
			{"name", local, topology.Server{Network: "tcp", Address: "localhost:" + port}},
		} {
			f.in(func(clock.Instant) {
				s := f.toy.dial(&c.server)
				f.toy.send(s, []byte("early")) // waits for the connection
			})
			if n := f.expect("connected"); n.err != nil {
				t.Fatalf("%s: %v", c.name, n.err)
			}
			peer, err := c.ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			peer.SetDeadline(time.Now().Add(patience))
			early := make([]byte, 5)
			if _, err := peer.Read(early); err != nil || string(early) != "early" {
				t.Errorf("%s: %q, %v", c.name, early, err)
			}
			roundTrip(t, peer, []byte("hello"))
			peer.Close()
			if n := f.expect("lost"); n.err != nil {
				t.Errorf("%s: %v", c.name, n.err)
			}
		}
	})
}

func TestDialFails(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		for _, c := range []struct {
			network, address string
			errno            syscall.Errno
			text             string
		}{
			{"tcp", closedPort(t), syscall.ECONNREFUSED, "Connection refused"},
			{"unix", filepath.Join(t.TempDir(), "none"), syscall.ENOENT, "No such file or directory"},
			{"tcp", "no..name:1", syscall.EHOSTDOWN, "Host is down"},
			{"tcp", "localhost:http", syscall.EHOSTDOWN, "Host is down"},
			{"tcp", "no port", syscall.EHOSTDOWN, "Host is down"},
			{"unix", "/" + string(make([]byte, 200)), syscall.EINVAL, "Invalid argument"},
		} {
			f.in(func(clock.Instant) { f.toy.dial(&topology.Server{Network: c.network, Address: c.address}) })
			n := f.expect("connected")
			if n.err == nil || !errors.Is(n.err, c.errno) || n.err.Error() != c.text {
				t.Errorf("%s %q: %v, want %s", c.network, c.address, n.err, c.text)
			}
		}
		f.until("freed", func(s Stats) bool { return s.Connections == 0 })
	})
}

// TestCloseWhileDialing: the handler gives up at once, or before the outcome is there; nothing is
// reported then, and nothing leaks (prepare counts descriptors).
func TestCloseWhileDialing(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		tcp := backend(t, "tcp", "127.0.0.1:0")
		path := filepath.Join(t.TempDir(), "s")
		backend(t, "unix", path)
		f := start(t, o, newToy())
		servers := []topology.Server{
			{Network: "tcp", Address: tcp.Addr().String()},
			{Network: "tcp", Address: closedPort(t)},
			{Network: "unix", Address: path},
			{Network: "unix", Address: path + "none"},
			{Network: "tcp", Address: "localhost:1"},
			{Network: "tcp", Address: "no..name:1"},
		}
		f.in(func(clock.Instant) {
			for range 20 {
				for i := range servers {
					f.toy.close(f.toy.dial(&servers[i]))
				}
			}
		})
		f.until("closed", func(s Stats) bool { return s.Connections == 0 && s.Dials == 120 })
		f.loop.resolving.Wait() // no further dial is made
		f.in(func(clock.Instant) {})
		f.restful()
		close(f.toy.notes)
		for n := range f.toy.notes {
			t.Errorf("%+v", n)
		}
	})
}

// TestNameResolvedForAnEarlierHandler: after a panic the new handler uses the same ids. The answer to
// the old one's question is not taken for an answer to its own.
func TestNameResolvedForAnEarlierHandler(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		good := backend(t, "tcp", "127.0.0.1:0")
		var loop *Loop
		o.OnPanic = func(any, []byte) bool { return true }
		o.Reset = func() Handler {
			loop.resolving.Wait() // the answer is in the mailbox
			h.sessions, h.free, h.dirty = nil, nil, nil
			h.dial(&topology.Server{Network: "tcp", Address: good.Addr().String()})
			return h
		}
		f := start(t, o, h)
		f.in(func(clock.Instant) { loop = f.loop })
		f.loop.Post(func(clock.Instant) {
			h.dial(&topology.Server{Network: "tcp", Address: "no..name:1"})
			panic("now")
		})
		if n := f.expect("connected"); n.err != nil {
			t.Errorf("%+v", n)
		}
	})
}

// TestDialAgainAfterFailure: a handler dials again inside Connected, with the slot's next generation;
// a server that refuses at once must not keep the loop from its mail.
func TestDialAgainAfterFailure(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := &redialer{toy: newToy(), server: &topology.Server{Network: "unix", Address: filepath.Join(t.TempDir(), "none")}}
		f := prepare(t, o, h.toy, topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
		f.loop.Post(func(clock.Instant) { f.loop.Dial(message.NewConnID(5, 1), h.server) })
		go func() { f.ran <- f.loop.Run(h) }()
		f.until("dialed often", func(s Stats) bool { return s.Dials > 1000 })
		f.loop.Stop()
		if err := <-f.ran; err != nil {
			t.Error(err)
		}
	})
}

type redialer struct {
	*toy
	server *topology.Server
}

func (h *redialer) Connected(_ clock.Instant, id message.ConnID, err error) {
	if err == nil {
		panic("connected to nothing")
	}
	h.loop.Dial(message.NewConnID(id.Slot(), id.Generation()+1), h.server)
}

func TestSelfConnected(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	self, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, self); err != nil {
		t.Fatal(err)
	}
	if !selfConnected(fd) {
		t.Error("not recognised")
	}

	ln := backend(t, "tcp", "127.0.0.1:0")
	other, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	a := ln.Addr().(*net.TCPAddr).AddrPort()
	if err := unix.Connect(other, sockaddr(a, 0)); err != nil {
		t.Fatal(err)
	}
	if selfConnected(other) {
		t.Error("an ordinary connection is taken for one to itself")
	}
}

func TestErrorTexts(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ECONNREFUSED: "Connection refused",
		syscall.ECONNRESET:   "Connection reset by peer",
		syscall.ETIMEDOUT:    "Connection timed out",
		syscall.EPIPE:        "Broken pipe",
		syscall.ENOENT:       "No such file or directory",
		syscall.EHOSTUNREACH: "No route to host",
		syscall.EHOSTDOWN:    "Host is down",
		syscall.EACCES:       "Permission denied", // not in our table
		syscall.EMFILE:       "Too many open files",
	} {
		err := error(SysError{errno})
		if err.Error() != want || !errors.Is(err, errno) {
			t.Errorf("%d: %q, want %q", errno, err, want)
		}
	}
}
