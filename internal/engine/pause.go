package engine

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// pauses keep a pool's clients waiting: one that they themselves have put in force, by CLIENT PAUSE, and one that an
// operator has. They are apart so that a client's CLIENT UNPAUSE does not have requests go to a server which the
// operator has just taken down. The stricter of the two counts.
type pauses [2]pause

const (
	byClients = iota
	byOperator
)

type pause struct {
	mode  downstream.Pause
	until clock.Instant
}

// inForce is the stricter one; of two that are alike the one that lasts longer.
func (p *pauses) inForce() pause {
	a, b := p[byClients], p[byOperator]
	if a.mode > b.mode || a.mode == b.mode && a.until > b.until {
		return a
	}
	return b
}

func (o clientSide) Pause(s *downstream.Session, mode downstream.Pause, until clock.Instant) bool {
	e := o.e
	if e.looks[s.ID] == nil {
		e.clientsPause(s.Pool.Index, mode, until)
		if e.peers != nil {
			e.peers.Pause(s.Pool.Name, mode, until)
		}
	}
	if mode == downstream.PauseNone {
		return true
	}
	_, ok := o.Look(s, downstream.AskNothing) // they answer once they have the pause
	return ok
}

// SetPause is what a client of another worker has said for the clients of all.
func (e *Engine) SetPause(now clock.Instant, pool string, mode downstream.Pause, until clock.Instant) {
	e.begin(now)
	if p := e.snapshot.Pool(pool); p != nil {
		e.clientsPause(p.Index, mode, until)
	}
}

// clientsPause begins, prolongs or ends the clients' pause. As in Redis one that is in force is neither shortened nor
// softened by another.
func (e *Engine) clientsPause(pool int, mode downstream.Pause, until clock.Instant) {
	to := &e.pools[pool].pauses[byClients]
	if mode != downstream.PauseNone {
		mode, until = max(mode, to.mode), max(until, to.until)
	}
	e.setPause(pool, byClients, pause{mode, until})
}

// Pause puts an operator's pause in force for a pool, in place of the one before. PauseNone ends the clients' as well:
// who operates the proxy has the last word.
func (e *Engine) Pause(now clock.Instant, pool int, mode downstream.Pause, until clock.Instant) {
	e.begin(now)
	if mode == downstream.PauseNone {
		until = 0
		e.setPause(pool, byClients, pause{})
	}
	e.setPause(pool, byOperator, pause{mode, until})
}

// Paused is which requests of a pool wait, and until when.
func (e *Engine) Paused(pool int) (downstream.Pause, clock.Instant) {
	p := e.pools[pool].pauses.inForce()
	return p.mode, p.until
}

// Succeed has the engine take the place of one that has panicked: its clients are gone, the operator's pauses go on, and
// so does what was seen of slow requests and of keys.
func (e *Engine) Succeed(before *Engine) {
	e.slow = before.slow
	for i := range before.slots {
		if before.slots[i].extra {
			e.ledger.common.extras.Add(-1)
		}
	}
	for i := range before.pools {
		old := &before.pools[i]
		old.counters.Add(stats.ClientsClosed, uint64(old.clients))
		before.count(old, -old.clients)
		if p := e.snapshot.Pool(old.pool.Name); p != nil && old.by == 0 {
			e.setPause(p.Index, byOperator, old.pauses[byOperator])
			e.pools[p.Index].hot = old.hot
		}
	}
}

// Pauses are those of the pools, by name.
type Pauses map[string]pauses

// Pauses are those in force.
func (e *Engine) Pauses() Pauses {
	all := Pauses{}
	for _, p := range e.snapshot.Pools {
		all[p.Name] = e.pools[p.Index].pauses
	}
	return all
}

// TakeOver puts in force what is in force for the clients of another worker.
func (e *Engine) TakeOver(now clock.Instant, all Pauses) {
	e.begin(now)
	for name, of := range all {
		if p := e.snapshot.Pool(name); p != nil {
			e.setPause(p.Index, byClients, of[byClients])
			e.setPause(p.Index, byOperator, of[byOperator])
		}
	}
}

func (e *Engine) setPause(pool, by int, to pause) {
	state := &e.pools[pool]
	before := state.pauses.inForce().mode
	state.pauses[by] = to
	mode := state.pauses.inForce().mode
	for i := range e.slots {
		c := e.slots[i].client
		if c == nil || c.Pool.Index != pool {
			continue
		}
		c.SetPause(mode)
		if mode < before && c.Stalled() {
			e.awakened = append(e.awakened, c.ID)
		}
	}
}

// endPauses lets the clients of pools go on whose pause is over.
func (e *Engine) endPauses() {
	for i := range e.pools {
		for by, p := range e.pools[i].pauses {
			if p.mode != downstream.PauseNone && p.until <= e.now {
				e.setPause(i, by, pause{})
			}
		}
	}
}

// pausesEnd is when endPauses has something to do next.
func (e *Engine) pausesEnd() clock.Instant {
	next := clock.Never
	for i := range e.pools {
		for _, p := range e.pools[i].pauses {
			if p.mode != downstream.PauseNone {
				next = min(next, p.until)
			}
		}
	}
	return next
}
