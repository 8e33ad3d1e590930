package engine

import (
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Counters are those of the snapshot's pools and their servers, by index. They outlive an engine
// that panics.
type Counters struct {
	Pools   []*stats.Block
	Servers [][]*stats.Block
	// Ejections are counted by the control plane, not by the worker.
	Ejections [][]*stats.Ejections

	numbered *uint64 // clients ever
}

// NewCounters returns counters at zero.
func NewCounters(s *topology.Snapshot) *Counters {
	c := &Counters{numbered: new(uint64)}
	for _, p := range s.Pools {
		servers := make([]*stats.Block, len(p.Servers))
		ejections := make([]*stats.Ejections, len(p.Servers))
		for i := range servers {
			servers[i], ejections[i] = stats.NewServer(), new(stats.Ejections)
		}
		c.Pools, c.Servers = append(c.Pools, stats.NewPool()), append(c.Servers, servers)
		c.Ejections = append(c.Ejections, ejections)
	}
	return c
}

// Reloaded returns the counters of a snapshot that follows on old, to which c belong: pools and servers of the same
// name go on counting.
func (c *Counters) Reloaded(old, s *topology.Snapshot) *Counters {
	next := NewCounters(s)
	next.numbered = c.numbered
	for i, p := range s.Pools {
		before := old.Pool(p.Name)
		if before == nil {
			continue
		}
		next.Pools[i] = c.Pools[before.Index]
		for k, server := range p.Servers {
			if was := before.Server(server.Name); was != nil {
				next.Servers[i][k] = c.Servers[before.Index][was.Index]
				next.Ejections[i][k] = c.Ejections[before.Index][was.Index]
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

func (o clientSide) HotKeys(p *topology.Pool) ([]stats.Heavy, uint64) {
	h := o.e.Hot(o.e.now, p.Index)
	return h.ByRequests, h.Requests
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
