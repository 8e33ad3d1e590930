// Package topology has the immutable picture of the world that the workers act on: pools, their
// servers, their rings and settings, under one epoch number.
//
// The control plane builds a Snapshot, publishes it, and never touches it again; any goroutine may
// read it. A request uses one snapshot from beginning to end.
package topology

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
)

// ServerID names a server: it is the same in every snapshot that has the server.
type ServerID struct{ Pool, Name string }

// Protocol is what a pool's clients and servers speak.
type Protocol uint8

// The protocols.
const (
	Redis Protocol = iota
	Memcached
)

// Snapshot is one consistent topology.
type Snapshot struct {
	Epoch uint64
	Pools []*Pool // in twemproxy's order: by length of the name, then by bytes

	// Process is what clients are told of the process.
	Process Process

	// MemoryLimit bounds the bytes buffered; 0 is no bound.
	MemoryLimit int64

	// ClientLimit bounds the clients, so that descriptors are left for servers; 0 is no
	// bound.
	ClientLimit int

	// Threads is the number of workers; 0 is as many as are worth it.
	Threads int
}

// Process is the process, as INFO shows it. What is not known is zero.
type Process struct {
	ID      int
	System  string // operating system and architecture
	Version string // of cashew
}

// Pool is a listener's servers with one protocol, one distribution and one set of settings.
type Pool struct {
	Name    string
	Index   int // position in Snapshot.Pools
	Listen  Listen
	Servers []*Server // in twemproxy's order: by length of the ring name, then by bytes

	Distribution ring.Distribution
	Hash         hashkit.Func
	HashTag      hashkit.Tag
	Ring         ring.Ring // hash → index in Servers

	// Version is what the servers say that they are, as far as it is known.
	Version string

	Settings
}

// ServerVersion is the version that clients are told, in the form that libraries parse.
func (p *Pool) ServerVersion() string {
	if p.Version == "" {
		return "7.0.0"
	}
	return p.Version
}

// BeforeRESP3 says that some server is older than RESP3, by its version. Redis has had it since 6.
func (p *Pool) BeforeRESP3() bool {
	major, _, _ := strings.Cut(p.Version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n < 6
}

// Listen is where a pool's clients connect, and how.
type Listen struct {
	Network   string // "tcp" or "unix"
	Address   string // "host:port" with brackets for IPv6, or a path
	Mode      uint32 // permissions of a unix socket; 0 leaves the umask's
	Backlog   int
	ReusePort bool
}

// Overlaps says whether two addresses are in each other's way: one includes the other, and they do not share their
// port. A host's name is only like itself, for nobody is asked what it means.
func (l Listen) Overlaps(m Listen) bool {
	if l.Network != m.Network {
		return false
	}
	if l.Network == "unix" {
		return path.Clean(l.Address) == path.Clean(m.Address)
	}
	host, port := splitHostPort(l.Address)
	other, otherPort := splitHostPort(m.Address)
	return port == otherPort && port != "0" && !(l.ReusePort && m.ReusePort) &&
		(includes(host, other) || includes(other, host))
}

func splitHostPort(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	return strings.Trim(address[:max(i, 0)], "[]"), address[i+1:]
}

// includes says whether who listens at a host's addresses listens at another's. The one for all of IPv6 has IPv4, too.
func includes(host, other string) bool {
	a, err := netip.ParseAddr(host)
	b, errOther := netip.ParseAddr(other)
	switch {
	case host == "" || host == other:
		return true
	case err != nil:
		return false
	case a == netip.IPv6Unspecified():
		return true
	case errOther != nil:
		return false
	}
	a, b = a.Unmap(), b.Unmap()
	return a == b || a == netip.IPv4Unspecified() && b.Is4()
}

// ID names the server.
func (s *Server) ID() ServerID { return ServerID{s.Pool, s.Name} }

// Pool returns the pool of a name, nil if there is none.
func (s *Snapshot) Pool(name string) *Pool {
	for _, p := range s.Pools {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Server returns a server, nil if the pool has none of the name.
func (p *Pool) Server(name string) *Server {
	for _, s := range p.Servers {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Server is one backend of a pool. Its identity (pool name and Name) survives snapshots.
type Server struct {
	Pool    string
	Name    string // the ring name, as twemproxy computes it; also the key of its statistics
	Index   int    // position in Pool.Servers
	Network string // "tcp" or "unix"
	Address string // "host:port" with brackets for IPv6, or a path
	Weight  int

	// Ejected servers get no requests. If the pool moves their keys, they are not in its ring either.
	Ejected bool

	// KeepAlive turns on TCP keepalive for connections to the server.
	KeepAlive bool
}

// Settings are a pool's settings that the data plane obeys. Durations of zero mean "none".
type Settings struct {
	Protocol Protocol

	Timeout           time.Duration // a request's time from its arrival to its reply
	ConnectTimeout    time.Duration // dial and handshake of a server connection
	ClientIdleTimeout time.Duration
	ClientConnections int  // most clients at once; 0 is no bound
	ServerConnections int  // connections per server and worker, at least 1
	Preconnect        bool // dial all ServerConnections at start
	ClientKeepAlive   bool

	Auth      string // password that clients must give, and that servers are given; "" is none
	User      string // user name that goes with Auth; "" is the server's default user
	Database  int    // database that clients begin with
	Databases int    // how many there are: clients may choose any below

	// MissOnFailure has keys of a memcached that failed be missing, instead of an error.
	MissOnFailure bool
	// Commands are served, as far as they are, that would take others' data away.
	FlushAll bool // flush_all of memcached, FLUSHALL of Redis
	FlushDB  bool
	SwapDB   bool
	// OwnCommand has PROXY answered, which tells clients of the pool and its servers.
	OwnCommand bool

	// FailureLimit is how many failures in a row eject a server; 0 is no ejection. It has failures reported, and
	// requests wait for what becomes of the server.
	FailureLimit int

	SlowThreshold time.Duration // requests that take longer are noted
	BigThreshold  int64         // requests and replies of so many bytes are noted; 0 is none
	// One of so many requests is sampled for the hot keys and for the access log; 0 is none.
	HotKeysSample, AccessLogSample int

	JoinReads bool // a read is not sent that is identical to one which waits to be sent

	FirstKey bool // commands with keys on several servers go to the first key's, unchecked

	Limits
}

// Limits bound what one connection may make the proxy hold. Each has a counter for "hit".
type Limits struct {
	RequestBytes  int64         // one request, all its arguments
	Arguments     int           // arguments of one request
	InlineBytes   int           // one inline command, or one header line
	Nesting       int           // depth of nested arrays in a reply
	ClientOutput  int64         // unsent bytes of a client behind the reply being delivered
	StalledClient time.Duration // a client that accepts no byte for so long is closed
	ServerQueue   int64         // unsent request bytes of one server connection
}
