package engine

import (
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Ledger is what the engines of all workers have counted under one snapshot, and what they count together. Engines that
// panic do not take it with them.
type Ledger struct {
	Workers []*Counters
	// Ejections are counted by the control plane, not by a worker.
	Ejections [][]*stats.Ejections

	common  *common
	clients []*stats.Tally // that are connected, by pool
}

// common is what bounds of the whole process are compared with. It is written when connections come and go, and when
// the memory in use has changed by much.
type common struct {
	clients  stats.Tally // of all pools
	extras   stats.Tally // see Engine.extra
	numbered stats.Tally // clients ever
	buffered stats.Tally // bytes, see Counters.buffered
}

// Counters are one worker's, of the snapshot's pools and their servers, by index.
type Counters struct {
	Pools   []*stats.Block
	Servers [][]*stats.Block

	ledger   *Ledger
	buffered int64 // the worker's part of common.buffered
}

// NewLedger returns one at zero.
func NewLedger(s *topology.Snapshot, workers int) *Ledger {
	l := &Ledger{common: new(common)}
	for _, p := range s.Pools {
		ejections := make([]*stats.Ejections, len(p.Servers))
		for i := range ejections {
			ejections[i] = new(stats.Ejections)
		}
		l.Ejections, l.clients = append(l.Ejections, ejections), append(l.clients, new(stats.Tally))
	}
	for range workers {
		l.Workers = append(l.Workers, newCounters(s, l))
	}
	return l
}

func newCounters(s *topology.Snapshot, l *Ledger) *Counters {
	c := &Counters{ledger: l}
	for _, p := range s.Pools {
		servers := make([]*stats.Block, len(p.Servers))
		for i := range servers {
			servers[i] = stats.NewServer()
		}
		c.Pools, c.Servers = append(c.Pools, stats.NewPool()), append(c.Servers, servers)
	}
	return c
}

// Reloaded returns the ledger of a snapshot that follows on old, to which l belongs, for at least so many workers: pools
// and servers of the same name go on counting.
func (l *Ledger) Reloaded(old, s *topology.Snapshot, workers int) *Ledger {
	next := NewLedger(s, max(workers, len(l.Workers)))
	next.common = l.common
	for i, p := range s.Pools {
		before := old.Pool(p.Name)
		if before == nil {
			continue
		}
		next.clients[i] = l.clients[before.Index]
		for w, c := range l.Workers {
			next.Workers[w].Pools[i] = c.Pools[before.Index]
		}
		for k, server := range p.Servers {
			was := before.Server(server.Name)
			if was == nil {
				continue
			}
			next.Ejections[i][k] = l.Ejections[before.Index][was.Index]
			for w, c := range l.Workers {
				next.Workers[w].Servers[i][k] = c.Servers[before.Index][was.Index]
			}
		}
	}
	return next
}

// PoolCounters and ServerCounters are readable from any goroutine.
func (e *Engine) PoolCounters(pool int) *stats.Block { return e.pools[pool].counters }

// ServerCounters returns the counters of one server of a pool.
func (e *Engine) ServerCounters(pool, server int) *stats.Block {
	return e.pools[pool].servers[server].counters
}

func (o clientSide) Ejections(p *topology.Pool) (all []*stats.Ejections) {
	for _, s := range o.e.pools[p.Index].servers {
		all = append(all, s.ejections)
	}
	return all
}

// Gauge sets the gauges of all servers, for somebody who is about to read them.
func (e *Engine) Gauge() {
	for i := range e.pools {
		for k := range e.pools[i].servers {
			e.pools[i].servers[k].gauge()
		}
	}
}

func (s *serverState) gauge() {
	var connections, connecting, queued, inFlight uint64
	var queuedBytes, inFlightBytes int64
	s.each(func(c *upstream.Conn) {
		load := c.Load()
		if load.Connected {
			connections++
		}
		if load.Connecting {
			connecting++
		}
		queued += uint64(load.Queued)
		inFlight += uint64(load.InFlight)
		queuedBytes += load.QueuedBytes
		inFlightBytes += load.InFlightBytes
	})
	s.counters.Set(stats.ServerConnections, connections)
	s.counters.Set(stats.ServerConnecting, connecting)
	s.counters.Set(stats.ServerQueued, queued)
	s.counters.Set(stats.ServerQueuedBytes, uint64(queuedBytes))
	s.counters.Set(stats.ServerInFlight, inFlight)
	s.counters.Set(stats.ServerInFlightBytes, uint64(inFlightBytes))
}
