package engine

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// pause is what CLIENT PAUSE has put in force for a pool.
type pause struct {
	mode  downstream.Pause
	until clock.Instant
}

func (o clientSide) Peer(s *downstream.Session) netip.AddrPort { return o.e.slots[s.ID.Slot()].peer }

// Clients are the pool's clients, the oldest first.
func (o clientSide) Clients(p *topology.Pool) (all []*downstream.Session) {
	for i := range o.e.slots {
		if c := o.e.slots[i].client; c != nil && c.Pool.Index == p.Index {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *downstream.Session) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

func (o clientSide) ServerCounters(p *topology.Pool) (all []*stats.Block) {
	servers := o.e.pools[p.Index].servers
	for i := range servers {
		servers[i].gauge()
		all = append(all, servers[i].counters)
	}
	return all
}

// Pause begins, prolongs or ends a pause. As in Redis one that is in force is neither shortened nor softened
// by another.
func (o clientSide) Pause(p *topology.Pool, mode downstream.Pause, until clock.Instant) {
	state := &o.e.pools[p.Index]
	if mode != downstream.PauseNone {
		mode, until = max(mode, state.pause.mode), max(until, state.pause.until)
	}
	o.e.setPause(p.Index, pause{mode, until})
}

func (e *Engine) setPause(pool int, to pause) {
	e.pools[pool].pause = to
	for i := range e.slots {
		c := e.slots[i].client
		if c == nil || c.Pool.Index != pool {
			continue
		}
		c.SetPause(to.mode)
		if to.mode == downstream.PauseNone && c.Stalled() {
			e.awakened = append(e.awakened, c.ID)
		}
	}
}

// endPauses lets the clients of pools go on whose pause is over.
func (e *Engine) endPauses() {
	for i := range e.pools {
		if p := e.pools[i].pause; p.mode != downstream.PauseNone && p.until <= e.now {
			e.setPause(i, pause{})
		}
	}
}

// pausesEnd is when endPauses has something to do next.
func (e *Engine) pausesEnd() clock.Instant {
	next := clock.Never
	for i := range e.pools {
		if p := e.pools[i].pause; p.mode != downstream.PauseNone {
			next = min(next, p.until)
		}
	}
	return next
}
