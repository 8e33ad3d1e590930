package engine

import (
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Reload takes a snapshot with other pools, servers and settings than the one in force, and the ledger that
// belongs to it. What clients have asked is answered as if nothing had changed; what they ask from now on is
// served by the new snapshot.
//
// What is the same in both goes on as it is: a pool of the same name, protocol and first database keeps its
// clients; a server of the same name and address, to which its pool connects in the same way, its connections.
// What is not leaves: no request is sent to it any more, clients of a pool that leaves are closed once they have
// their answers, and what is not done within the time given ends then.
func (e *Engine) Reload(now clock.Instant, s *topology.Snapshot, ledger *Ledger, within time.Duration) {
	e.begin(now)
	e.carryOver(ledger)
	by := now.Add(within)
	old := e.pools
	pools := make([]poolState, len(s.Pools), len(s.Pools)+len(old))
	moved := make([]int, len(old)) // where each pool is from now on
	for i := range moved {
		moved[i] = -1
	}
	busy := map[int]bool{} // pools with requests on connections that leave
	for i, p := range s.Pools {
		k := e.kept(p)
		if k < 0 {
			pools[i] = e.newPool(p, i)
			if before := e.snapshot.Pool(p.Name); before != nil { // an operator has paused what has the name
				pools[i].pauses[byOperator] = old[before.Index].pauses[byOperator]
			}
			continue
		}
		moved[k] = i
		pools[i] = old[k]
		busy[i] = e.renew(&pools[i], p, i, by)
	}
	e.obey(s)
	for k := range old {
		if moved[k] < 0 {
			moved[k] = len(pools)
			pools = append(pools, leavingPool(old[k], by))
		}
	}
	e.rearrange(pools, moved)
	for i := range e.slots {
		switch c := e.slots[i].client; {
		case c == nil:
		case c.Pool.Index >= len(s.Pools):
			c.Drain()
		default:
			c.Renewed(busy[c.Pool.Index])
		}
	}
	e.open(now)
	e.leaving = true
}

// carryOver has the engine count in another ledger.
func (e *Engine) carryOver(ledger *Ledger) {
	ledger.Workers[e.worker].buffered = e.own().buffered
	e.ledger = ledger
}

// kept is the position of the pool that p is the continuation of; -1 if there is none.
func (e *Engine) kept(p *topology.Pool) int {
	if old := e.snapshot.Pool(p.Name); old != nil && continues(old, p) {
		return old.Index
	}
	return -1
}

// continues says whether a pool goes on with the clients of another one of the same name.
func continues(old, p *topology.Pool) bool {
	return old.Protocol == p.Protocol && old.Database == p.Database
}

// renew makes a pool's state one of the pool as it is in the new snapshot. It reports whether there are requests
// on connections that leave.
func (e *Engine) renew(state *poolState, p *topology.Pool, i int, by clock.Instant) (busy bool) {
	before, old := state.pool, state.servers
	state.pool, state.counters, state.connected = p, e.own().Pools[i], e.ledger.clients[i]
	state.servers = make([]serverState, 0, len(p.Servers))
	alike := before.Auth == p.Auth && before.User == p.User && before.ServerConnections == p.ServerConnections
	for k, server := range p.Servers {
		o := sameServer(old, server)
		if o < 0 || !alike {
			state.servers = append(state.servers, e.newServer(p, i, k))
			continue
		}
		state.servers = append(state.servers, old[o])
		old[o].lanes = nil // taken
		e.renewServer(&state.servers[k], server, p)
	}
	for k := range old {
		if old[k].lanes != nil {
			state.leavers = append(state.leavers, leaver{old[k], by})
			busy = old[k].leave(before) || busy
		}
	}
	return busy
}

// sameServer is the position of the server whose connections are good for s; -1 if there is none.
func sameServer(states []serverState, s *topology.Server) int {
	for i := range states {
		if states[i].lanes == nil {
			continue
		}
		if old := states[i].lanes[0][0].Server; old.Name == s.Name && old.Network == s.Network && old.Address == s.Address {
			return i
		}
	}
	return -1
}

// leaver is a server that gets no more requests, and when it is closed at the latest.
type leaver struct {
	serverState
	by clock.Instant
}

// leave has the connections do what they have been asked and no more: nobody is told of their failures, and none
// is opened again. It reports whether there are requests on them.
func (s *serverState) leave(p *topology.Pool) (busy bool) {
	set := p.Settings
	set.FailureLimit, set.Preconnect = 0, false
	s.each(func(c *upstream.Conn) {
		c.Apply(c.Server, &set)
		c.Verdict()
		busy = busy || c.Waiting() > 0
	})
	return busy
}

// leavingPool is the state of a pool that is in no snapshot any more.
func leavingPool(state poolState, by clock.Instant) poolState {
	if state.by == 0 {
		state.by = by
		for i := range state.servers {
			state.servers[i].leave(state.pool)
		}
	}
	return state
}

// rearrange puts every pool in its new place, and tells the sessions where theirs is. Pools behind those of the
// snapshot are leaving.
func (e *Engine) rearrange(pools []poolState, moved []int) {
	for i := len(e.snapshot.Pools); i < len(pools); i++ {
		p := *pools[i].pool // others may read the old one still
		p.Index = i
		pools[i].pool = &p
	}
	e.pools = pools
	for i := range e.slots {
		if c := e.slots[i].client; c != nil {
			c.Pool = pools[moved[c.Pool.Index]].pool
		}
	}
}

// leave closes what was to leave and has nothing left to do, or has had its time.
func (e *Engine) leave() {
	if !e.leaving {
		return
	}
	e.leaving = false
	for i := range e.pools {
		state := &e.pools[i]
		left := state.leavers[:0]
		for _, l := range state.leavers {
			if !e.closed(&l.serverState, l.by) {
				left = append(left, l)
			}
		}
		clear(state.leavers[len(left):])
		state.leavers = left
		e.leaving = e.leaving || len(left) > 0
	}
	e.leavePools()
}

// closed closes the connections of a server that have nothing left to do, or all when their time is over. It
// reports whether none is open any more.
func (e *Engine) closed(s *serverState, by clock.Instant) bool {
	open := false
	s.each(func(c *upstream.Conn) {
		if c.Waiting() > 0 && e.now < by {
			open = true
			return
		}
		c.Close(e.now, message.ErrRemoved)
	})
	return !open
}

// leavePools does the same for pools: first their clients go, then their connections.
func (e *Engine) leavePools() {
	first := len(e.snapshot.Pools)
	if first == len(e.pools) {
		return
	}
	for i := range e.slots {
		if c := e.slots[i].client; c != nil && c.Pool.Index >= first && (e.now >= e.pools[c.Pool.Index].by || c.Finished()) {
			e.closeClient(c.ID, &e.slots[i])
		}
	}
	pools, moved := e.pools[:first:first], make([]int, len(e.pools))
	for i := range e.pools {
		moved[i] = i
		if i < first {
			continue
		}
		state := &e.pools[i]
		if state.clients > 0 {
			moved[i] = len(pools)
			pools = append(pools, *state)
			continue
		}
		state.each(func(s *serverState) { e.closed(s, e.now) }) // what they were asked is for nobody
	}
	e.leaving = e.leaving || len(pools) > first
	e.rearrange(pools, moved)
}

// leaveNext is when leave has something to do at the latest; Never if nothing is leaving.
func (e *Engine) leaveNext() clock.Instant {
	next := clock.Never
	if !e.leaving {
		return next
	}
	for i := range e.pools {
		if state := &e.pools[i]; state.by != 0 {
			next = min(next, state.by)
		}
		for _, l := range e.pools[i].leavers {
			next = min(next, l.by)
		}
	}
	return next
}
