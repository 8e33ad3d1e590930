package engine

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Peers are the engines of the other workers, as one of them sees them. Nothing is done before the call returns, and
// what one asks of them is done in the order in which it asks.
type Peers interface {
	// Look has Testify called for each of the others, and Informed with what they said.
	Look(id message.ConnID, pool string, q downstream.Question)
	// Kill has Kill called for each of the others.
	Kill(pool string, numbers []uint64)
	// Pause has SetPause called for each of the others.
	Pause(pool string, mode downstream.Pause, until clock.Instant)
}

// SetPeers tells the engine that it is not alone, or is again.
func (e *Engine) SetPeers(p Peers) { e.peers = p }

// look is a question of a client that the other workers are to answer.
type look struct {
	answered bool
	view     downstream.View
}

func (o clientSide) Look(s *downstream.Session, q downstream.Question) (downstream.View, bool) {
	e := o.e
	var others downstream.View
	if e.peers != nil {
		l := e.looks[s.ID]
		switch {
		case l == nil:
			if e.looks == nil {
				e.looks = map[message.ConnID]*look{}
			}
			e.looks[s.ID] = new(look)
			e.peers.Look(s.ID, s.Pool.Name, q)
			return others, false
		case !l.answered:
			return others, false
		}
		others = l.view
		delete(e.looks, s.ID)
	}
	v := e.look(s.Pool, q, e.clients)
	e.addCounts(&v, s.Pool)
	v.Clients = append(v.Clients, others.Clients...)
	slices.SortFunc(v.Clients, func(a, b downstream.Portrait) int { return cmp.Compare(a.Number, b.Number) })
	v.HotKeys, v.Samples = stats.Merge(hotKeys, v.HotKeys, others.HotKeys), v.Samples+others.Samples
	return v, true
}

// look is what the worker knows of a pool, its counts left out; of clients at most so many.
func (e *Engine) look(p *topology.Pool, q downstream.Question, most int) (v downstream.View) {
	switch q {
	case downstream.AskClients:
		v.Clients = e.portraits(p.Index, most)
	case downstream.AskHotKeys:
		h := e.Hot(e.now, p.Index)
		v.HotKeys, v.Samples = h.ByRequests, h.Requests
	}
	return v
}

// addCounts adds the counts of all workers: the other ones' as they were at the end of a turn.
func (e *Engine) addCounts(v *downstream.View, p *topology.Pool) {
	if p.Index >= len(e.snapshot.Pools) { // it is leaving
		v.Counts = e.pools[p.Index].counters.Copy()
		v.Servers = make([]stats.Values, len(p.Servers))
		return
	}
	e.Gauge()
	for i, c := range e.ledger.Workers {
		read := (*stats.Block).ReadAll
		if i == e.worker {
			read = (*stats.Block).Copy
		}
		v.Counts.Plus(read(c.Pools[p.Index]))
		for k, server := range c.Servers[p.Index] {
			if i == 0 {
				v.Servers = append(v.Servers, stats.Values{})
			}
			v.Servers[k].Plus(read(server))
		}
	}
}

// Testify is what the worker has to say when a client of another one asks, and has its counters as they are now
// published.
func (e *Engine) Testify(now clock.Instant, pool string, q downstream.Question) (v downstream.View) {
	e.begin(now)
	if p := e.snapshot.Pool(pool); p != nil {
		v = e.look(p, q, e.clients)
	}
	e.Gauge()
	e.publish()
	return v
}

// Informed takes what the other workers have said.
func (e *Engine) Informed(now clock.Instant, id message.ConnID, others []downstream.View) {
	e.begin(now)
	s, l := e.find(id), e.looks[id]
	switch {
	case l == nil:
	case s == nil || s.client == nil:
		delete(e.looks, id)
	default:
		l.answered = true
		for _, v := range others {
			l.view.Clients = append(l.view.Clients, v.Clients...)
			l.view.HotKeys = stats.Merge(hotKeys, l.view.HotKeys, v.HotKeys)
			l.view.Samples += v.Samples
		}
		e.awakened = append(e.awakened, id)
	}
}

func (o clientSide) Kill(p *topology.Pool, numbers []uint64) {
	if len(numbers) == 0 {
		return
	}
	o.e.kill(p, numbers)
	if o.e.peers != nil {
		o.e.peers.Kill(p.Name, numbers)
	}
}

// Kill cuts off clients of a pool by their numbers.
func (e *Engine) Kill(now clock.Instant, pool string, numbers []uint64) {
	e.begin(now)
	if p := e.snapshot.Pool(pool); p != nil {
		e.kill(p, numbers)
	}
}

func (e *Engine) kill(p *topology.Pool, numbers []uint64) {
	for i := range e.slots {
		if c := e.slots[i].client; c != nil && c.Pool.Index == p.Index && slices.Contains(numbers, c.Number) {
			c.Abort()
		}
	}
}

func (o clientSide) Peer(s *downstream.Session) netip.AddrPort { return o.e.slots[s.ID.Slot()].peer }

// Portraits are of the pool's clients, of the first ones in the table and in no order: at most limit, so that the
// copying is bounded.
func (e *Engine) Portraits(now clock.Instant, pool, limit int) []downstream.Portrait {
	e.begin(now)
	return e.portraits(pool, limit)
}

func (e *Engine) portraits(pool, limit int) (all []downstream.Portrait) {
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
