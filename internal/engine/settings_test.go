package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// snapshot makes a topology of one pool, with two servers unless the line says otherwise. line is a
// conversation's config line; any other sets nothing.
//
// Keys are spread by modula over fnv1a_32, whose lowest bit is the parity of all letters' lowest bits:
// one can tell by looking at a key where it lives.
func snapshot(t testing.TB, line string) *topology.Snapshot {
	t.Helper()
	p := &topology.Pool{Name: "pool", Distribution: ring.Modula, Listen: topology.Listen{Network: "tcp", Address: "10.0.0.100:22121"}}
	s := &topology.Snapshot{Epoch: 1, Pools: []*topology.Pool{p}}
	p.Protocol, p.ServerConnections, p.Databases = topology.Redis, 1, 16
	p.Limits = topology.Limits{
		RequestBytes: 512 << 20, Arguments: 1 << 20, InlineBytes: 64 << 10, Nesting: 8,
		ClientOutput: 4 << 20, ServerQueue: 8 << 20,
	}
	var ok bool
	if p.Hash, ok = hashkit.ByName("fnv1a_32"); !ok {
		t.Fatal("no hash fnv1a_32")
	}
	names, host := []string{"s0", "s1"}, ""
	if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "config" {
		for _, f := range fields[1:] {
			k, v, _ := strings.Cut(f, "=")
			switch {
			case k == "servers":
				names = names[:0]
				for i := range number(t, v) {
					names = append(names, fmt.Sprintf("s%d", i))
				}
			case k == "names":
				names = strings.Split(v, ",")
			case k == "host":
				host = v
			case k == "pool":
				p.Name = v
			case !set(t, s, p, k, v):
				t.Fatalf("config has no key %q", k)
			}
		}
	}
	var nodes []ring.Node
	for i, name := range names {
		p.Servers = append(p.Servers, &topology.Server{Pool: p.Name, Name: name, Index: i, Network: "tcp", Address: host + name, Weight: 1})
		nodes = append(nodes, ring.Node{Name: name, Weight: 1, Index: i})
	}
	p.Ring = ring.New(p.Distribution, nodes)
	return s
}

func set(t testing.TB, s *topology.Snapshot, p *topology.Pool, k, v string) bool {
	switch k {
	case "timeout":
		p.Timeout = duration(t, v)
	case "connect_timeout":
		p.ConnectTimeout = duration(t, v)
	case "idle":
		p.ClientIdleTimeout = duration(t, v)
	case "stalled":
		p.StalledClient = duration(t, v)
	case "clients":
		p.ClientConnections = number(t, v)
	case "connections":
		p.ServerConnections = number(t, v)
	case "preconnect":
		p.Preconnect = true
	case "eject":
		p.FailureLimit = 2
	case "memcached":
		p.Protocol = topology.Memcached
	case "miss":
		p.MissOnFailure = true
	case "version":
		p.Version = v
	case "join":
		p.JoinReads = v != "off"
	case "flush_all":
		p.FlushAll = true
	case "flushdb":
		p.FlushDB = true
	case "slow":
		p.SlowThreshold = duration(t, v)
	case "big":
		p.BigThreshold = int64(number(t, v))
	case "hot":
		p.HotKeysSample = number(t, v)
	case "access":
		p.AccessLogSample = number(t, v)
	case "proxy":
		p.OwnCommand = true
	case "first_key":
		p.FirstKey = true
	case "auth":
		p.Auth = v
	case "user":
		p.User = v
	case "database":
		p.Database = number(t, v)
	case "databases":
		p.Databases = number(t, v)
	case "output":
		p.ClientOutput = int64(number(t, v))
	case "queue":
		p.ServerQueue = int64(number(t, v))
	case "request_bytes":
		p.RequestBytes = int64(number(t, v))
	case "arguments":
		p.Arguments = number(t, v)
	case "nesting":
		p.Nesting = number(t, v)
	case "all_clients":
		s.ClientLimit = number(t, v)
	case "memory":
		s.MemoryLimit = int64(number(t, v))
	default:
		return false
	}
	return true
}

func duration(t testing.TB, v string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func number(t testing.TB, v string) int {
	t.Helper()
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func poolCounter(name string) (stats.Counter, bool) { return find(stats.PoolTable[:], name) }

// serverCounter finds gauges as well.
func serverCounter(name string) (stats.Counter, bool) {
	return find(append(stats.ServerTable[:], stats.GaugeTable[:]...), name)
}

func find(table []stats.Descriptor, name string) (stats.Counter, bool) {
	for i, d := range table {
		if d.Name == name {
			return stats.Counter(i), true
		}
	}
	return 0, false
}
