package eventloop

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// nameServer answers the lookups of a test.
type nameServer struct {
	mu    sync.Mutex
	addrs []netip.Addr  // none is an error
	gate  chan struct{} // lookups wait until it is closed; nil lets them pass
	asked int
	news  []string
}

func (s *nameServer) lookup(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	s.mu.Lock()
	s.asked++
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.addrs) == 0 {
		return nil, errors.New("no such host")
	}
	return s.addrs, nil
}

func (s *nameServer) named(address, last string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := address + " " + last
	if err != nil {
		text += " " + err.Error()
	}
	s.news = append(s.news, text)
}

func (s *nameServer) set(addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = nil
	for _, a := range addrs {
		s.addrs = append(s.addrs, netip.MustParseAddr(a))
	}
}

// hold has lookups wait, or lets them pass.
func (s *nameServer) hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.gate = make(chan struct{})
		return
	}
	close(s.gate)
	s.gate = nil
}

func (s *nameServer) seen() (asked int, news []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, append([]string(nil), s.news...)
}

// named is a loop with a name server, and two hosts that listen on one port.
type named struct {
	*fixture
	names       *nameServer
	first, last net.Listener // at 127.0.0.1 and 127.0.0.2
	port        string
}

func startNamed(t *testing.T, o Options) *named {
	n := &named{names: &nameServer{}, first: backend(t, "tcp", "127.0.0.1:0")}
	n.names.set("127.0.0.1")
	_, n.port, _ = net.SplitHostPort(n.first.Addr().String())
	n.last = backend(t, "tcp", "127.0.0.2:"+n.port) // tests use 127.0.0.1 alone, so it is free
	o.Lookup, o.Named = n.names.lookup, n.names.named
	n.fixture = start(t, o, newToy())
	return n
}

func (n *named) server() *topology.Server {
	return &topology.Server{Network: "tcp", Address: "cache.test:" + n.port}
}

// dial makes a connection and returns the server's end of it, which must be at ln.
func (n *named) dial(ln net.Listener) (id *session, peer net.Conn) {
	n.Helper()
	n.in(func(clock.Instant) { id = n.toy.dial(n.server()) })
	if got := n.expect("connected"); got.err != nil {
		n.Fatal(got.err)
	}
	peer, err := ln.Accept()
	if err != nil {
		n.Fatal(err)
	}
	peer.SetDeadline(time.Now().Add(patience))
	n.Cleanup(func() { peer.Close() })
	roundTrip(n.T, peer, []byte("hello"))
	return id, peer
}

// lose has the server end a connection.
func (n *named) lose(peer net.Conn) {
	n.Helper()
	peer.Close()
	n.expect("lost")
}

// age makes what is known of names as old as if nobody had asked for long.
func (n *named) age() {
	n.in(func(now clock.Instant) {
		for _, name := range n.loop.names {
			name.asked, name.answered = now.Add(-nameAge), now.Add(-nameAge)
		}
		n.loop.tendAt = now
	})
}

// told waits for the last news of the name.
func (n *named) told(want string) {
	n.Helper()
	n.until("told: "+want, func(Stats) bool {
		_, news := n.names.seen()
		return len(news) > 0 && news[len(news)-1] == want
	})
}

// A name that was looked up just now is not looked up again, and a dial does not wait for anything.
func TestNameIsRemembered(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		n.dial(n.first)
		n.names.hold(true)
		n.dial(n.first)
		n.dial(n.first)
		if asked, news := n.names.seen(); asked != 1 || len(news) != 0 {
			t.Errorf("%d lookups, news %q", asked, news)
		}
	})
}

// A name in use is looked up from time to time. When its address has changed, connections stay, and new
// ones go to the new address.
func TestNameChangesItsAddress(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		_, old := n.dial(n.first)
		n.names.set("127.0.0.2", "127.0.0.3")
		n.age()
		n.told("cache.test:" + n.port + " 127.0.0.2:" + n.port)
		n.in(func(now clock.Instant) {
			all := n.loop.Names()
			if len(all) != 1 || all[0].Address != "cache.test:"+n.port || all[0].Lost || now.Sub(all[0].Answered) > time.Minute {
				t.Errorf("names at %v: %+v", now, all)
			}
		})
		roundTrip(t, old, []byte("still there"))
		n.dial(n.last)
		n.names.set("127.0.0.3", "127.0.0.2")
		n.age()
		n.until("asked again", func(Stats) bool { asked, _ := n.names.seen(); return asked == 3 })
		n.dial(n.last) // the order of the addresses means nothing
		if _, news := n.names.seen(); len(news) != 1 {
			t.Errorf("news %q", news)
		}
		n.restful()
	})
}

// A server that is gone may have moved: its name is looked up before the next dial, which therefore
// does not fail.
func TestNameIsLookedUpAfterALoss(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		_, old := n.dial(n.first)
		n.names.set("127.0.0.2")
		n.first.Close()
		n.lose(old)
		n.dial(n.last)
	})
}

// A name that resolves no more keeps its last address. It is told once, and once when it resolves again.
func TestNameStopsResolving(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		_, peer := n.dial(n.first)
		n.names.set()
		for range 3 {
			n.lose(peer)
			_, peer = n.dial(n.first)
		}
		address := "cache.test:" + n.port
		known := "127.0.0.1:" + n.port
		n.told(address + " " + known + " no such host")
		n.in(func(clock.Instant) {
			if all := n.loop.Names(); len(all) != 1 || !all[0].Lost || all[0].Answered == 0 {
				t.Errorf("names: %+v", all)
			}
		})
		n.names.set("127.0.0.1")
		n.lose(peer)
		n.dial(n.first)
		n.told(address + " " + known)
		if _, news := n.names.seen(); len(news) != 2 {
			t.Errorf("news %q", news)
		}
	})
}

// A name that never resolved fails each dial, and is found when it exists.
func TestNameThatNeverResolved(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		n.names.set()
		for range 2 {
			n.in(func(clock.Instant) { n.toy.dial(n.server()) })
			if got := n.expect("connected"); got.err != errUnresolved {
				t.Fatal(got.err)
			}
		}
		n.names.set("127.0.0.1")
		n.dial(n.first)
		if asked, _ := n.names.seen(); asked != 3 {
			t.Errorf("%d lookups", asked)
		}
	})
}

// A name server that does not answer keeps nobody from a server whose address is known.
func TestNameServerIsSilent(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		_, peer := n.dial(n.first)
		n.names.hold(true)
		n.lose(peer)
		n.dial(n.first) // the lookup never ends
		var others []*session
		n.in(func(clock.Instant) {
			for range 3 {
				others = append(others, n.toy.dial(n.server()))
			}
			n.toy.close(others[1]) // given up while it waits
		})
		n.expect("connected")
		n.expect("connected")
		if asked, _ := n.names.seen(); asked != 2 {
			t.Errorf("%d lookups at once", asked-1)
		}
		n.names.hold(false)
	})
}

// Of several addresses the next is tried when one fails, by an error or because nobody waits for it any
// longer; one that works is kept.
func TestNameWithSeveralAddresses(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		n := startNamed(t, o)
		n.first.Close()
		n.names.set("127.0.0.1", "127.0.0.2")
		n.in(func(clock.Instant) { n.toy.dial(n.server()) })
		if got := n.expect("connected"); got.err == nil {
			t.Fatal("connected to nobody")
		}
		n.dial(n.last)
		n.dial(n.last)

		// A listener with a full queue, for which the kernel drops what comes.
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		port := n.first.Addr().(*net.TCPAddr).Port
		full := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 3}}
		if err := errors.Join(unix.Bind(fd, full), unix.Listen(fd, 0)); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(c)
			if err := unix.SetNonblock(c, true); err != nil {
				t.Fatal(err)
			}
			_ = unix.Connect(c, full) // it is under way, or hangs
		}
		n.names.set("127.0.0.3")
		n.age()
		n.told("cache.test:" + n.port + " 127.0.0.3:" + n.port)
		var stuck *session
		n.in(func(clock.Instant) { stuck = n.toy.dial(n.server()) })
		n.names.set("127.0.0.3", "127.0.0.2")
		n.in(func(clock.Instant) { n.toy.close(stuck) })
		n.dial(n.last)
	})
}
