package engine

import (
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// serverState is a worker's part of one server of one pool.
type serverState struct {
	counters  *stats.Block
	ejections *stats.Ejections
	// lanes are by the number that the pool has for the kind of lane. Number 0 is the pool's own database in
	// RESP2 and is always there; another has no connections until a client needs it.
	lanes []lane
}

// lane is a worker's connections of one kind to one server. A client, not a request, is tied to one of
// them, so that its requests to a server stay in order.
type lane []*upstream.Conn

// own is the kind of lane that every server of the pool has.
func own(p *topology.Pool) message.Lane { return message.Lane{Database: p.Database} }

// newLane makes the connections of a lane, closed. Only those of the pool's own lane are kept open.
func (e *Engine) newLane(p *topology.Pool, s *serverState, server *topology.Server, kind message.Lane) lane {
	l := make(lane, max(p.ServerConnections, 1))
	for i := range l {
		l[i] = upstream.New(serverSide{e}, &e.pool, server, &p.Settings, kind, s.counters)
		l[i].Lasting = kind == own(p)
	}
	return l
}

// each calls f for every connection to the server.
func (s *serverState) each(f func(*upstream.Conn)) {
	for _, l := range s.lanes {
		for _, c := range l {
			f(c)
		}
	}
}

// eachConn calls f for every server connection of the worker.
func (e *Engine) eachConn(f func(*upstream.Conn)) {
	for i := range e.pools {
		for k := range e.pools[i].servers {
			e.pools[i].servers[k].each(f)
		}
		for k := range e.pools[i].leavers {
			e.pools[i].leavers[k].each(f)
		}
	}
}

// connOf is the connection to a server that the client is tied to.
func (e *Engine) connOf(s *downstream.Session, server int) *upstream.Conn {
	state := &e.pools[s.Pool.Index].servers[server]
	if int(s.LaneNumber) >= len(state.lanes) || state.lanes[s.LaneNumber] == nil {
		e.addLane(s, server)
	}
	conns := state.lanes[s.LaneNumber]
	if len(conns) > 1 {
		return conns[int(s.Turn)%len(conns)]
	}
	return conns[0]
}

// addLane makes the lane that a client is the first to need.
func (e *Engine) addLane(s *downstream.Session, server int) {
	pool := &e.pools[s.Pool.Index]
	state := &pool.servers[server]
	for len(state.lanes) <= int(s.LaneNumber) {
		state.lanes = append(state.lanes, nil)
	}
	state.lanes[s.LaneNumber] = e.newLane(s.Pool, state, s.Pool.Servers[server], pool.kinds[s.LaneNumber])
}

// Lane returns the number of a kind of lane in the session's pool. There are as many as databases, twice.
func (o clientSide) Lane(s *downstream.Session, kind message.Lane) uint16 {
	pool := &o.e.pools[s.Pool.Index]
	for i, k := range pool.kinds {
		if k == kind {
			return uint16(i)
		}
	}
	pool.kinds = append(pool.kinds, kind)
	return uint16(len(pool.kinds) - 1)
}

// LacksRESP3 says that some server of the pool has refused to speak RESP3.
func (o clientSide) LacksRESP3(p *topology.Pool) bool { return o.e.pools[p.Index].lacksRESP3 }

// Awaken has a client go on in this turn, or the next.
func (o clientSide) Awaken(s *downstream.Session) { o.e.awakened = append(o.e.awakened, s.ID) }

// laneIdle is how long a connection of a lane that is not the pool's own is kept without requests.
const laneIdle = clock.Instant(time.Minute)

// retireLanes closes what nobody has used for a while.
func (e *Engine) retireLanes() {
	if !e.spareLanes {
		return
	}
	e.spareLanes = false
	e.eachConn(func(c *upstream.Conn) {
		c.Retire(e.now, e.now-laneIdle)
		e.spareLanes = e.spareLanes || !c.Lasting && c.ID != 0
	})
}
