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
	// resp3 is whether it speaks RESP3, as far as connections have found out. resp3Asked is when one was last made
	// only to find out.
	resp3      ability
	resp3Asked clock.Instant
	// witness is a connection in RESP2 that was there when the last one in RESP3 was closed at HELLO; 0 if there is none.
	witness message.ConnID
	hungUp  clock.Instant // when that was
}

// ability is what is known of whether a server can do something.
type ability uint8

const (
	unknown ability = iota
	able
	unable
)

// lane is a worker's connections of one kind to one server. A client, not a request, is tied to one of
// them, so that its requests to a server stay in order.
type lane []*upstream.Conn

// of is the connection that a client is tied to.
func (l lane) of(s *downstream.Session) *upstream.Conn {
	if len(l) > 1 {
		return l[int(s.Turn)%len(l)]
	}
	return l[0]
}

// ready says that a client's requests travel at once.
func (l lane) ready(s *downstream.Session) bool { return l != nil && l.of(s).Ready() }

// own is the kind of lane that every server of the pool has.
func own(p *topology.Pool) message.Lane { return message.Lane{Database: p.Database} }

// lasting says that the connections of a kind of lane are not closed for lack of requests: those of the pool's own, and
// where connections are wanted in advance those in RESP3, once a client has needed them.
func (e *Engine) lasting(p *topology.Pool, kind message.Lane) bool {
	return !e.dormant && kind.Database == p.Database && (!kind.RESP3 || p.Preconnect)
}

// newLane makes the connections of a lane, closed.
func (e *Engine) newLane(p *topology.Pool, s *serverState, server *topology.Server, kind message.Lane) lane {
	l := make(lane, max(p.ServerConnections, 1))
	for i := range l {
		l[i] = upstream.New(serverSide{e}, &e.pool, server, e.settings(p), kind, s.counters)
		l[i].Lasting = e.lasting(p, kind)
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
		e.pools[i].each(func(s *serverState) { s.each(f) })
	}
}

// each calls f for every server of the pool, those that are leaving included.
func (p *poolState) each(f func(*serverState)) {
	for i := range p.servers {
		f(&p.servers[i])
	}
	for i := range p.leavers {
		f(&p.leavers[i].serverState)
	}
}

// laneOf returns a server's lane by its number, and makes one that a client is the first to need.
func (e *Engine) laneOf(p *topology.Pool, server int, number uint16) lane {
	state := &e.pools[p.Index].servers[server]
	for len(state.lanes) <= int(number) {
		state.lanes = append(state.lanes, nil)
	}
	if state.lanes[number] == nil {
		state.lanes[number] = e.newLane(p, state, p.Servers[server], e.pools[p.Index].kinds[number].Lane)
	}
	return state.lanes[number]
}

// connOf is the connection to a server that the client is tied to.
func (e *Engine) connOf(s *downstream.Session, server int) *upstream.Conn {
	state := &e.pools[s.Pool.Index].servers[server]
	if int(s.LaneNumber) >= len(state.lanes) || state.lanes[s.LaneNumber] == nil {
		e.laneOf(s.Pool, server, s.LaneNumber)
	}
	return state.lanes[s.LaneNumber].of(s)
}

// laneKind is a kind of lane of a pool, and how many clients are in it or about to be.
type laneKind struct {
	message.Lane
	clients int
}

// mostLanes bounds the lanes of a pool, and with them the connections to each of its servers. With the usual 16
// databases there are 32.
const mostLanes = 256

// Enter has the session be one of those in a kind of lane, whose number it returns. It reports false if there are
// too many kinds.
func (o clientSide) Enter(s *downstream.Session, kind message.Lane) (number uint16, ok bool) {
	number, ok = o.e.number(s.Pool.Index, kind)
	if ok {
		o.e.pools[s.Pool.Index].kinds[number].clients++
	}
	return number, ok
}

// Leave undoes Enter. All begin in number 0 without it.
func (o clientSide) Leave(s *downstream.Session, number uint16) {
	if number != 0 {
		o.e.pools[s.Pool.Index].kinds[number].clients--
	}
}

// number is the number of a kind of lane, a new one if need be.
func (e *Engine) number(pool int, kind message.Lane) (number uint16, ok bool) {
	p := &e.pools[pool]
	i := slices.IndexFunc(p.kinds, func(k laneKind) bool { return k.Lane == kind })
	switch {
	case i >= 0:
	case len(p.kinds) < mostLanes:
		i = len(p.kinds)
		p.kinds = append(p.kinds, laneKind{Lane: kind})
	default:
		if i = e.freeNumber(p); i < 0 {
			return 0, false
		}
		p.kinds[i].Lane = kind
	}
	return uint16(i), true
}

// freeNumber takes a lane away in which nobody is and nothing is under way, -1 if there is none.
func (e *Engine) freeNumber(p *poolState) int {
	for i := 1; i < len(p.kinds); i++ {
		if p.kinds[i].clients > 0 || e.lasting(p.pool, p.kinds[i].Lane) {
			continue
		}
		busy := false
		for k := range p.servers {
			if s := &p.servers[k]; i < len(s.lanes) {
				for _, c := range s.lanes[i] {
					busy = !c.Abandon(e.now) || busy
				}
			}
		}
		if busy {
			continue
		}
		for k := range p.servers {
			if s := &p.servers[k]; i < len(s.lanes) {
				s.lanes[i] = nil
			}
		}
		return i
	}
	return -1
}

// askPause is how long a server is left alone at least that was asked whether it speaks RESP3.
const askPause = clock.Instant(time.Second)

// LacksRESP3 says that some server of the pool is known not to speak RESP3: it has refused to, or its version is too
// old. Both may be over since, and who takes NOPROTO for an end says nothing more by which that would be noticed. So
// whoever is told makes the proxy ask the server again, for those who come later.
func (o clientSide) LacksRESP3(p *topology.Pool) bool {
	servers, lacks := o.e.pools[p.Index].servers, false
	for i := range servers {
		if s := &servers[i]; s.resp3 == unable || s.resp3 == unknown && p.BeforeRESP3() {
			lacks = true
			if o.e.now >= s.resp3Asked+askPause {
				o.e.askRESP3(p, i)
			}
		}
	}
	return lacks
}

// askRESP3 has a connection for clients in RESP3 be made, which tells whether the server speaks it.
func (e *Engine) askRESP3(p *topology.Pool, server int) {
	if number, ok := e.number(p.Index, message.Lane{Database: p.Database, RESP3: true}); ok {
		e.pools[p.Index].servers[server].resp3Asked = e.now
		_ = e.laneOf(p, server, number)[0].Open(e.now) // if it may not be tried now, who comes next tries
	}
}

// LacksRESP3 has the pool's clients in RESP3 come again: they were promised what this server does not speak, and
// every request of theirs to it would fail. When they come they are told NOPROTO. It reports whether that was known.
func (o serverSide) LacksRESP3(c *upstream.Conn) (known bool) {
	pool, state := o.stateOf(c)
	if state == nil {
		return true
	}
	known = state.resp3 == unable
	state.resp3 = unable
	for i := range o.e.slots {
		if s := o.e.slots[i].client; s != nil && s.Pool.Index == pool.Index {
			s.EndRESP3()
		}
	}
	return known
}

// hangUpsApart is what it takes at least for two closings at HELLO to have two causes.
const hangUpsApart = clock.Instant(100 * time.Millisecond)

// HungUp says whether a server that has closed a connection at HELLO lacks RESP3, as some proxies close at what they do
// not know: it does if it has done so before, and a connection in RESP2 has lived through both. A server that dies closes
// that too, but who hears of several ends hears of them one after the other: so both have to be some time apart. If there
// is no such connection, one is made, for the next time.
func (o serverSide) HungUp(c *upstream.Conn) bool {
	_, state := o.stateOf(c)
	if state == nil || state.resp3 == unable {
		return state != nil
	}
	if state.witness != 0 && o.e.now < state.hungUp+hangUpsApart {
		return false
	}
	state.hungUp = o.e.now
	survived := false
	var witness message.ConnID
	state.each(func(other *upstream.Conn) {
		if !other.Lane().RESP3 && other.Ready() {
			survived = survived || other.ID == state.witness
			witness = other.ID
		}
	})
	if witness == 0 {
		_ = state.lanes[0][0].Open(o.e.now) // if it may not be tried, the server has other troubles
	}
	state.witness = witness
	return survived
}

// connected is told of a connection that was made. A server that lacked RESP3 may be another one by now: it is
// asked again, by a connection for clients in RESP3.
func (o serverSide) connected(c *upstream.Conn) {
	switch pool, state := o.stateOf(c); {
	case state == nil:
	case c.Lane().RESP3:
		state.resp3, state.witness = able, 0
	case state.resp3 == unable:
		o.e.askRESP3(pool, c.Server.Index)
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
