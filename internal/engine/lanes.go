package engine

import (
	"slices"
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
	// lacksRESP3: it has refused to speak it, and not spoken it since.
	lacksRESP3 bool
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

// laneOf returns a server's lane by its number, and makes one that a client is the first to need.
func (e *Engine) laneOf(p *topology.Pool, server int, number uint16) lane {
	state := &e.pools[p.Index].servers[server]
	for len(state.lanes) <= int(number) {
		state.lanes = append(state.lanes, nil)
	}
	if state.lanes[number] == nil {
		state.lanes[number] = e.newLane(p, state, p.Servers[server], e.pools[p.Index].kinds[number])
	}
	return state.lanes[number]
}

// connOf is the connection to a server that the client is tied to.
func (e *Engine) connOf(s *downstream.Session, server int) *upstream.Conn {
	state := &e.pools[s.Pool.Index].servers[server]
	if int(s.LaneNumber) >= len(state.lanes) || state.lanes[s.LaneNumber] == nil {
		e.laneOf(s.Pool, server, s.LaneNumber)
	}
	conns := state.lanes[s.LaneNumber]
	if len(conns) > 1 {
		return conns[int(s.Turn)%len(conns)]
	}
	return conns[0]
}

// Lane returns the number of a kind of lane in the session's pool. There are as many as databases, twice.
func (o clientSide) Lane(s *downstream.Session, kind message.Lane) uint16 {
	return o.e.pools[s.Pool.Index].number(kind)
}

func (p *poolState) number(kind message.Lane) uint16 {
	i := slices.Index(p.kinds, kind)
	if i < 0 {
		i = len(p.kinds)
		p.kinds = append(p.kinds, kind)
	}
	return uint16(i)
}

// LacksRESP3 says that some server of the pool is known not to speak RESP3.
func (o clientSide) LacksRESP3(p *topology.Pool) bool {
	return slices.ContainsFunc(o.e.pools[p.Index].servers, func(s serverState) bool { return s.lacksRESP3 })
}

// LacksRESP3 has the pool's clients in RESP3 come again: they were promised what this server does not speak, and
// every request of theirs to it would fail. When they come they are told NOPROTO.
func (o serverSide) LacksRESP3(c *upstream.Conn) {
	pool, state := o.stateOf(c)
	if state == nil {
		return
	}
	state.lacksRESP3 = true
	for i := range o.e.slots {
		if s := o.e.slots[i].client; s != nil && s.Pool.Index == pool.Index {
			s.EndRESP3()
		}
	}
}

// stateOf is the pool and the state of a connection's server; nil if the server is leaving.
func (o serverSide) stateOf(c *upstream.Conn) (*topology.Pool, *serverState) {
	pool := o.poolOf(c)
	servers := o.e.pools[pool.Index].servers
	if i := c.Server.Index; i < len(servers) && servers[i].lanes[0][0].Server == c.Server {
		return pool, &servers[i]
	}
	return pool, nil
}

// connected is told of a connection that was made. A server that lacked RESP3 may be another one by now: it is
// asked again, by a connection for clients in RESP3.
func (o serverSide) connected(c *upstream.Conn) {
	switch pool, state := o.stateOf(c); {
	case state == nil || !state.lacksRESP3:
	case c.Lane().RESP3:
		state.lacksRESP3 = false
	default:
		number := o.e.pools[pool.Index].number(message.Lane{Database: pool.Database, RESP3: true})
		_ = o.e.laneOf(pool, c.Server.Index, number)[0].Open(o.e.now) // if it may not be tried now, the next connection tries
	}
}

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
