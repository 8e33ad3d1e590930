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

// Portraits are of the pool's clients, of the first ones in the table and in no order: at most limit, so that the
// copying is bounded.
func (e *Engine) Portraits(now clock.Instant, pool, limit int) (all []downstream.Portrait) {
	e.begin(now)
	for i := range e.slots {
		if len(all) >= limit {
			break
		}
		if c := e.slots[i].client; c != nil && c.Pool.Index == pool {
			all = append(all, c.Portray(e.slots[i].peer))
		}
	}
	return all
}
