package engine

import (
	"net/netip"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// A client moves from one worker to another when nothing of it is half read, queued, in flight or unsent. So whatever it
// has asked has been answered before it goes, and what it asks next is read by the other worker: no order can be lost.
// A client that never rests never moves.

// Parcel is a client on its way.
type Parcel struct {
	To        int // the number of the worker
	session   *downstream.Session
	peer      netip.AddrPort
	connected *stats.Tally // in which it counts
}

// Send has a client go to another worker as soon as it rests.
func (e *Engine) Send(id message.ConnID, to int) {
	if s := e.find(id); s != nil && s.client != nil {
		e.bind(s.client, to)
	}
}

// SendShare has a share of the clients that were active since then go to another worker, each as soon as it rests, and
// all others stay. A share of 1 since the beginning is all.
func (e *Engine) SendShare(now clock.Instant, share float64, since clock.Instant, to int) {
	e.begin(now)
	due := 0.0
	for i := range e.slots {
		c := e.slots[i].client
		if c == nil {
			continue
		}
		c.Bound = 0
		if !c.ActiveSince(since) {
			continue
		}
		if due += share; due >= 1 {
			due--
			e.bind(c, to)
		}
	}
}

func (e *Engine) bind(c *downstream.Session, to int) {
	c.Bound = to + 1
	if c.Rests() {
		e.resting = append(e.resting, c.ID)
	}
}

// Depart calls depart for each client that rests and is to go to another worker. Its id is stale from then on, and its
// connection is the host's, which is to hand it over with the parcel. It is for the end of a turn.
func (e *Engine) Depart(now clock.Instant, depart func(id message.ConnID, p Parcel)) {
	if len(e.resting) == 0 {
		return
	}
	e.begin(now)
	for _, id := range e.resting {
		s := e.find(id)
		if s == nil || s.client == nil || s.client.Bound == 0 || !s.client.Rests() {
			continue // it has gone, or goes on
		}
		c, state := s.client, &e.pools[s.client.Pool.Index]
		p := Parcel{To: c.Bound - 1, session: c, peer: s.peer, connected: state.connected}
		c.Depart()
		state.clients--
		e.clients--
		e.vacate(id)
		depart(id, p)
	}
	e.resting = e.resting[:0]
}

// Adopt takes over a client. It reports false if the client's pool is gone: its connection is to be closed.
func (e *Engine) Adopt(now clock.Instant, p Parcel) (id message.ConnID, ok bool) {
	e.begin(now)
	pool := e.continued(p.session.Pool)
	if pool == nil {
		e.Lose(p)
		return 0, false
	}
	state := &e.pools[pool.Index]
	id, slot := e.claim()
	slot.client, slot.peer = p.session, p.peer
	state.clients++
	e.clients++
	p.session.Arrive(&e.desk, id, pool, state.counters)
	p.session.SetPause(state.pauses.inForce().mode)
	if e.draining {
		p.session.Drain()
	}
	return id, true
}

// Lose is for a client that nobody can take over.
func (e *Engine) Lose(p Parcel) {
	p.connected.Add(-1)
	e.ledger.common.clients.Add(-1)
}

// continued is the pool in the snapshot that goes on with the clients of another one's; nil if there is none.
func (e *Engine) continued(p *topology.Pool) *topology.Pool {
	if now := e.snapshot.Pool(p.Name); now != nil && continues(p, now) {
		return now
	}
	return nil
}

// SetDormant says whether the worker is to have clients. One that is dormant opens no connection in advance, and closes
// those that nobody has used for a while.
func (e *Engine) SetDormant(now clock.Instant, dormant bool) {
	e.begin(now)
	if e.dormant == dormant {
		return
	}
	e.dormant = dormant
	for i, p := range e.snapshot.Pools {
		for k, server := range p.Servers {
			e.renewServer(&e.pools[i].servers[k], server, p)
		}
	}
	e.spareLanes = e.spareLanes || dormant
	e.open(now)
}

// settings are what server connections of a pool go by.
func (e *Engine) settings(p *topology.Pool) *topology.Settings {
	if !e.dormant {
		return &p.Settings
	}
	set := p.Settings
	set.Preconnect = false
	return &set
}
