// Package control makes topologies: it is the only writer of topology.Snapshot.
//
// It is ordinary Go of the control plane. Build is a pure function for any goroutine; what it returns
// is never changed again. A Control, one goroutine, counts what the workers report of failing servers,
// ejects them and lets them return; what it decides by is an Ejector, which has no clock of its own.
package control

import (
	"fmt"
	"slices"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Build makes the snapshot of a configuration in which every server is live. The snapshot shares
// nothing with c but strings. c must come from config.Load, which guarantees all that Build needs.
func Build(c *config.Config, epoch uint64) *topology.Snapshot {
	s := &topology.Snapshot{Epoch: epoch, MemoryLimit: c.Process.MemoryLimit, ClientLimit: c.Process.ClientLimit, Threads: c.Process.Threads}
	for i, p := range c.Pools {
		pool := buildPool(p)
		pool.Index = i
		s.Pools = append(s.Pools, pool)
	}
	return s
}

func buildPool(c *config.Pool) *topology.Pool {
	hash, ok := hashkit.ByName(c.Hash)
	distribution, known := ring.ByName(c.Distribution)
	if !ok || !known {
		panic(fmt.Sprintf("control: config let through hash %q, distribution %q", c.Hash, c.Distribution))
	}
	p := &topology.Pool{
		Name: c.Name,
		Listen: topology.Listen{
			Network: c.Listen.Network, Address: c.Listen.Address, Mode: c.Listen.Mode,
			Backlog: c.Backlog, ReusePort: c.ReusePort,
		},
		Distribution: distribution,
		Hash:         hash,
		Settings:     settings(c),
	}
	if c.HashTag != "" {
		p.HashTag = hashkit.Tag{Open: c.HashTag[0], Close: c.HashTag[1], Set: true}
	}
	nodes := make([]ring.Node, len(c.Servers))
	for i, s := range c.Servers {
		p.Servers = append(p.Servers, &topology.Server{
			Pool: c.Name, Name: s.Name, Index: i, Network: s.Network, Address: s.Address, Weight: s.Weight,
			KeepAlive: c.TCPKeepAlive,
		})
		nodes[i] = ring.Node{Name: s.Name, Weight: s.Weight, Index: i}
	}
	p.Ring = ring.New(distribution, nodes)
	return p
}

// Policies are when servers are ejected, by pool.
func Policies(c *config.Config) (all []Policy) {
	for _, p := range c.Pools {
		all = append(all, Policy{
			FailureLimit: failureLimit(p),
			RetryTimeout: p.ServerRetryTimeout,
			Share:        p.EjectLimit,
			KeepRing:     p.FailOnEject,
		})
	}
	return all
}

// failureLimit is how many failures eject a server; 0 if nobody is ejected. As in twemproxy a limit of 0 is 1,
// and servers that would return at once do not go.
func failureLimit(c *config.Pool) int {
	if !c.AutoEjectHosts || c.ServerRetryTimeout == 0 {
		return 0
	}
	return max(c.ServerFailureLimit, 1)
}

func settings(c *config.Pool) topology.Settings {
	s := topology.Settings{
		Protocol:          topology.Memcached,
		Timeout:           c.Timeout,
		ConnectTimeout:    c.ConnectTimeout,
		ClientIdleTimeout: c.ClientIdleTimeout,
		ClientConnections: c.ClientConnections,
		ServerConnections: c.ServerConnections,
		Preconnect:        c.Preconnect,
		FailureLimit:      failureLimit(c),
		ClientKeepAlive:   c.ClientKeepAlive,
		MissOnFailure:     c.MissOnError,
		JoinReads:         c.CoalesceReads,
		SlowThreshold:     c.SlowLogThreshold,
		BigThreshold:      c.BigKeyThreshold,
		HotKeysSample:     c.HotKeysSample,
		AccessLogSample:   c.AccessLogSample,
		FlushAll:          slices.Contains(c.AllowCommands, "flush_all") || slices.Contains(c.AllowCommands, "flushall"),
		FlushDB:           slices.Contains(c.AllowCommands, "flushdb"),
		SwapDB:            slices.Contains(c.AllowCommands, "swapdb"),
		OwnCommand:        slices.Contains(c.AllowCommands, "proxy"),
		Limits: topology.Limits{
			RequestBytes:  c.RequestSizeLimit,
			Arguments:     c.RequestArgumentsLimit,
			InlineBytes:   c.InlineSizeLimit,
			Nesting:       c.ReplyNestingLimit,
			ClientOutput:  c.ClientOutputLimit,
			StalledClient: c.ClientOutputTimeout,
			ServerQueue:   c.ServerQueueLimit,
		},
	}
	if c.Redis {
		s.Protocol = topology.Redis
		s.Auth, s.User, s.FirstKey = c.RedisAuth, c.RedisUser, c.FirstKey
		s.Database, s.Databases = c.RedisDB, max(c.Databases, c.RedisDB+1)
	}
	return s
}
